# Examples and benchmarks: every file is a program of its own; bench/support/*.c is linked into all
# of bench.

# hf_link_public(target source): what a user of the installed library would link.
function(hf_link_public target source)
    file(STRINGS "${source}" needs_host REGEX "#include <handfast/host.h>")
    if(needs_host AND TARGET handfast_host)
        target_link_libraries(${target} PRIVATE handfast_host)
    else()
        target_link_libraries(${target} PRIVATE handfast_shared)
    endif()
endfunction()

file(GLOB example_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
file(GLOB bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.c")
if(NOT HF_TESTS)
    return()
endif()

foreach(source IN LISTS example_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(example_${name} "${source}")
    set_target_properties(example_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
    target_compile_definitions(example_${name} PRIVATE _GNU_SOURCE=)
    target_link_libraries(example_${name} PRIVATE handfast_flags)
    hf_link_public(example_${name} "${source}")
    hf_test(NAME example_${name} LABEL example COMMAND example_${name})
endforeach()

get_property(rooms GLOBAL PROPERTY HF_ROOMS)
file(GLOB bench_support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/support/*.c")
foreach(source IN LISTS bench_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(bench_${name} "${source}" ${bench_support_sources})
    set_target_properties(bench_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
    target_compile_definitions(bench_${name} PRIVATE _GNU_SOURCE=)
    target_include_directories(bench_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(bench_${name} PRIVATE ${rooms} handfast_static handfast_flags)
    list(APPEND bench_programs bench_${name})
endforeach()
add_custom_target(bench_programs DEPENDS ${bench_programs}) # what script/beside needs of them
