// The editing of lines by libedit, and what Swift cannot set: streams that are variables.
#ifndef CEDITLINE_SHIM_H
#define CEDITLINE_SHIM_H

#include <stdio.h>
#include <editline/readline.h>

// Standard output is for results, so that lines are edited on standard error.
static inline int CEditline_begin(void) {
  rl_instream = stdin;
  rl_outstream = stderr;
  return rl_initialize();
}

#endif
