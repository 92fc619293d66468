// The inflation of zlib, and what Swift cannot import: functions that are macros.
#ifndef CZLIB_SHIM_H
#define CZLIB_SHIM_H

#include <zlib.h>

static inline int CZlib_inflateInit(z_stream *stream) { return inflateInit(stream); }

#endif
