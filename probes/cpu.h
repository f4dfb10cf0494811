/* What this processor can do, feature by feature (cpuid; Intel SDM volume 2A, AMD APM volume 3), and what the kernel
 * has switched on of it. Features are called as the contract's readers know them: "AVX2", "BMI2", "AVX512F". */
#ifndef GLIBCTRACE_PROBES_CPU_H
#define GLIBCTRACE_PROBES_CPU_H

/* 1: it is there; 0: it is not; -1: not known (another machine, or a name that is not in the table). */
int cpu_has(const char *feature);
/* The lowest x86-64 level (x86-64 psABI, "Micro-Architecture Levels") that FEATURE is part of: 1 to 4; 0: none. */
unsigned cpu_level_of(const char *feature);
/* This processor's own level, 0: not an x86-64. */
unsigned cpu_level(void);

#endif
