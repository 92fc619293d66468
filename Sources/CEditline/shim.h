// The editing of lines by libedit, and what Swift cannot reach: streams that are variables, and a macro.
#ifndef CEDITLINE_SHIM_H
#define CEDITLINE_SHIM_H

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <editline/readline.h>

// Standard output is for results, so that lines are edited on standard error. Without a locale, letters beyond ASCII would be bytes; C.UTF-8 is
// the only one that most containers have.
static inline int CEditline_begin(void) {
  if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  rl_instream = stdin;
  rl_outstream = stderr;
  return rl_initialize();
}

// True in a locale whose letters may have several bytes.
static inline int CEditline_reads_wide_letters(void) { return MB_CUR_MAX > 1; }

#endif
