# What can be chosen when building, and the flags that follow from it.

option(HF_TESTS "Build tests, examples and benchmarks (needs cmocka)" OFF)
option(HF_WERROR "Treat warnings as errors" OFF)
option(HF_DEBUG "Check costly invariants too" OFF)
option(HF_FUZZ "Build the fuzz targets only (needs clang)" OFF)
option(HF_CORE_ONLY "Build the core alone, as a static library without hf_panic" OFF)
option(HF_CORE_SHARED "Link tests and tools to a shared core, to be made anew alone (script/mutate)" OFF)
set(HF_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")
set(HF_TEST_PREFIX "" CACHE STRING "Put before the name of every test")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
if(NOT HF_CORE_SHARED)
    set(CMAKE_C_VISIBILITY_PRESET hidden)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

# Our own flags, for our own targets only: a project that adds us as a subdirectory keeps its own.
add_library(handfast_flags INTERFACE)
target_compile_options(handfast_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Wvla -Wstrict-prototypes -Wmissing-prototypes
    # Assertions name files as they stand in the tree, wherever it was built.
    "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
if(HF_WERROR)
    target_compile_options(handfast_flags INTERFACE -Werror)
endif()
if(HF_DEBUG)
    target_compile_definitions(handfast_flags INTERFACE HF_DEBUG)
endif()
if(HF_FUZZ)
    target_compile_options(handfast_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(HF_SANITIZE)
    target_compile_options(handfast_flags INTERFACE
        -fsanitize=${HF_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(handfast_flags INTERFACE -fsanitize=${HF_SANITIZE})
endif()
