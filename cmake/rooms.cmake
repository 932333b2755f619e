# hf_room(name uses...): one room of the house as a static library handfast_<name>, made of all
# sources in src/<name>, that may use the rooms named. A room without sources is left out.
#
# The arrows are held by two means: a room gets only what it names (but include paths can't be
# parted), and script/lint refuses an include against the arrows.
function(hf_room name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.c")
    if(NOT sources)
        return()
    endif()
    add_library(handfast_${name} STATIC ${sources})
    target_compile_definitions(handfast_${name} PRIVATE _GNU_SOURCE=)
    target_include_directories(handfast_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(handfast_${name} PRIVATE $<BUILD_INTERFACE:handfast_flags>)
    foreach(used IN LISTS ARGN)
        if(TARGET handfast_${used})
            target_link_libraries(handfast_${name} PUBLIC handfast_${used})
        endif()
    endforeach()
    set_property(GLOBAL APPEND PROPERTY HF_ROOMS handfast_${name})
endfunction()
