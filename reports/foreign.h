/* What C libraries and shells say in other languages, where people paste it: their fixed texts, put back into English,
 * so that one reader does for all. Names, paths and whatever else stands around them stay as they are. */
#ifndef GLIBCTRACE_REPORTS_FOREIGN_H
#define GLIBCTRACE_REPORTS_FOREIGN_H

/* LINE in English, malloced; NULL where nothing in it is known. */
char *foreign_in_english(const char *line);

#endif
