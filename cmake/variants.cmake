# Functions that go over data are built twice on x86-64, for any processor and for newer ones
# (x86-64-v3: AVX2); the loader chooses. Left out where that can't be had (no IFUNC in the C library
# or compiler, a core without one), where all is built for such processors anyway, under sanitizers,
# whose run time is not ready when the loader chooses, and with clang before 18, which never chooses
# the newer one.
include(CheckCSourceCompiles)
check_c_source_compiles([[
#include <stdlib.h>
#if !defined __x86_64__ || defined __AVX2__ || !defined __GLIBC__
#error nothing to choose from, or nobody who chooses
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#error too early for sanitizers
#endif
#if defined __clang__ && __clang_major__ < 18
#error does not know what it compares
#endif
__attribute__((target_clones("arch=x86-64-v3", "default"))) int twice(int x) { return 2 * x; }
int main(int argc, char **argv) { return twice(argc) + (argv == 0); }
]] HF_HAS_VARIANTS)

option(HF_VARIANTS "Build what goes over data in variants for newer processors too" ON)
if(HF_VARIANTS AND HF_HAS_VARIANTS AND NOT HF_SANITIZE AND NOT HF_FUZZ AND NOT HF_CORE_ONLY)
    target_compile_definitions(handfast_flags INTERFACE HF_VARIANTS)
endif()
