# hf_test(NAME name LABEL label COMMAND command...): registers a test, with what all of them share.
#
# A test that can't run here exits with 77 and says why. Tests of these labels use the machine's
# network or its time and run alone or one after the other.
set(HF_SERIAL_LABELS interop bench)
set(HF_NETWORK_LABELS host gateway cli)

set(HF_SANITIZER_ENVIRONMENT
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")

function(hf_test)
    cmake_parse_arguments(PARSE_ARGV 0 test "" "NAME;LABEL" "COMMAND")
    set(name "${HF_TEST_PREFIX}${test_NAME}")
    add_test(NAME "${name}" COMMAND ${test_COMMAND} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set(environment "HF_COMMAND=${PROJECT_BINARY_DIR}/handfast" ${HF_SANITIZER_ENVIRONMENT})
    set_tests_properties("${name}" PROPERTIES
        LABELS "${test_LABEL}" SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}")
    if(test_LABEL IN_LIST HF_SERIAL_LABELS)
        set_tests_properties("${name}" PROPERTIES RUN_SERIAL ON)
    elseif(test_LABEL IN_LIST HF_NETWORK_LABELS)
        set_tests_properties("${name}" PROPERTIES RESOURCE_LOCK network)
    elseif(test_LABEL STREQUAL package)
        set_tests_properties("${name}" PROPERTIES RESOURCE_LOCK install)
    endif()
endfunction()
