/* Part of doctor_session.c: the menu's entries. */
#ifndef GLIBCTRACE_REPORTS_DOCTOR_SESSION_H
#define GLIBCTRACE_REPORTS_DOCTOR_SESSION_H

struct doctor;

/* Lines on the .desktop files that start one of the editors (doctor_launchers.c). */
void doctor_launchers(struct doctor *doctor);

#endif
