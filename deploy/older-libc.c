/* Where a library asks for a function in the version that came with the C library of the system that packages are made on, and
 * an older version does the same, programs take the older one: they run on older systems too. `deploy/build` links this with
 * `--wrap`, and refuses a program that wants more than it should. hypot of 2.35 is
 * faster than the one before and may differ in the last digit.
 */
#if defined(__x86_64__)
#define BEFORE "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define BEFORE "GLIBC_2.17"
#else
#error "say which version of hypot is the older one here: objdump -T libm.so.6 | grep hypot"
#endif

__asm__(".symver older_hypot, hypot@" BEFORE);
__asm__(".symver older_hypotf, hypotf@" BEFORE);

double older_hypot(double x, double y);
float older_hypotf(float x, float y);
double __wrap_hypot(double x, double y);
float __wrap_hypotf(float x, float y);

double __wrap_hypot(double x, double y) { return older_hypot(x, y); }
float __wrap_hypotf(float x, float y) { return older_hypotf(x, y); }
