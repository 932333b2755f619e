/**
 * Whether this build has a sanitizer. What one adds to memory and time is no finding, and memory
 * that is not there ends the program.
 */
#ifndef HF_TEST_SANITIZED_H
#define HF_TEST_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define HF_TEST_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HF_TEST_SANITIZED 1
#endif
#ifndef HF_TEST_SANITIZED
#define HF_TEST_SANITIZED 0
#endif

#endif
