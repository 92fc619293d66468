// The inflation of zlib, and what Swift cannot import: functions that are macros.
#ifndef CZLIB_SHIM_H
#define CZLIB_SHIM_H

#include <zlib.h>

static inline int CZlib_inflateInit(z_stream *stream) { return inflateInit(stream); }

// Of gzip's form: 15 bits of window, and 16 for its header.
static inline int CZlib_gunzipInit(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

#endif
