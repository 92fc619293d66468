// A library to preload (Linux): counts a program's file calls, and at the N-th lets it fail or ends the program.
//
//   cc -shared -fPIC -O1 -o faults.so Scripts/torture/faults.c -ldl
//   FAULTS_UNDER=/tmp/x FAULTS_CALLS=change FAULTS_AT=7 FAULTS_DO=kill LD_PRELOAD=./faults.so graft train ...
//
// FAULTS_CALLS  names of the calls that count, with commas between: open, read, map, create, write, sync, rename, remove, mkdir, mode,
//               truncate; `change` is all that change files (create and what follows it), `input` open, read and map.
// FAULTS_UNDER  only calls about files below this directory count (and about those that are named relative to it as the working
//               directory); several with colons between; unset: all files.
// FAULTS_AT     the call, counted from 1, at which it happens; 0 or unset: never.
// FAULTS_DO     kill, term, int (a signal), short (a read or write of half the bytes, an end of the file where there is one), or an errno by
//               name (EIO, ENOSPC, ENOMEM, EMFILE, EACCES, EROFS, EINTR, EDQUOT) or number.
// FAULTS_STAYS  1: the calls after it fail as well, as on a disk that is full.
// FAULTS_COUNT  a file to which the number of calls that counted is written at the end of the program.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, READ, MAP, CREATE, WRITE, SYNC, RENAME, REMOVE, MKDIR, MODE, TRUNCATE, KINDS };
static const char *const kind_names[KINDS] = {
  "open", "read", "map", "create", "write", "sync", "rename", "remove", "mkdir", "mode", "truncate"};

static int counted[KINDS], action_signal, action_errno, action_short, stays;
static long at;
static atomic_long calls;
static const char *under, *count_path;

static int number_of_errno(const char *name) {
  static const struct { const char *name; int number; } known[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"ENOMEM", ENOMEM}, {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EROFS", EROFS}, {"EINTR", EINTR}, {"EDQUOT", EDQUOT}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].name, name)) return known[i].number;
  return atoi(name);
}

__attribute__((constructor)) static void set_up(void) {
  const char *names = getenv("FAULTS_CALLS"), *what = getenv("FAULTS_DO"), *position = getenv("FAULTS_AT"), *stay = getenv("FAULTS_STAYS");
  under = getenv("FAULTS_UNDER");
  count_path = getenv("FAULTS_COUNT");
  at = position ? atol(position) : 0;
  stays = stay && atoi(stay);
  char text[256];
  snprintf(text, sizeof text, "%s", names ? names : "change");
  for (char *rest = text, *name; (name = strsep(&rest, ","));)
    for (int kind = 0; kind < KINDS; kind++)
      if (!strcmp(name, kind_names[kind]) || (!strcmp(name, "change") && kind >= CREATE) || (!strcmp(name, "input") && kind < CREATE)) counted[kind] = 1;
  if (!what) return;
  if (!strcmp(what, "kill")) action_signal = SIGKILL;
  else if (!strcmp(what, "term")) action_signal = SIGTERM;
  else if (!strcmp(what, "int")) action_signal = SIGINT;
  else if (!strcmp(what, "short")) action_short = 1;
  else action_errno = number_of_errno(what);
}

static void write_count(void) {
  if (!count_path) return;
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
  int file = (int)syscall(SYS_openat, AT_FDCWD, count_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  if (syscall(SYS_write, file, text, length) < 0) { /* Nobody to tell. */ }
  syscall(SYS_close, file);
}

__attribute__((destructor)) static void tear_down(void) { write_count(); }

void _exit(int status) {
  write_count();
  for (;;) syscall(SYS_exit_group, status);
}

static int is_within(const char *path, const char *directory, size_t length) {
  return !strncmp(path, directory, length) && (path[length] == '/' || path[length] == 0);
}

/// Whether the file of a name (relative to a directory's descriptor) is one that counts.
static int is_watched(int directory, const char *path) {
  if (!under) return 1;
  char whole[2 * PATH_MAX], folder[PATH_MAX];
  if (path[0] == '/') {
    snprintf(whole, sizeof whole, "%s", path);
  } else {
    char link[64];
    if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, folder, sizeof folder - 1);
    if (length < 0) return 0;
    folder[length] = 0;
    snprintf(whole, sizeof whole, *path ? "%s/%s" : "%s%s", folder, path);
  }
  for (const char *start = under; *start;) {
    size_t length = strcspn(start, ":");
    if (is_within(whole, start, length)) return 1;
    start += length + (start[length] == ':');
  }
  return 0;
}

static int is_watched_descriptor(int file) { return is_watched(file, ""); }

enum verdict { PASS, FAIL, SHORT };

/// Counts a call; what is to become of it. Sets errno where it fails.
static enum verdict count_call(enum kind kind, int watched) {
  if (!counted[kind] || !watched) return PASS;
  long call = atomic_fetch_add(&calls, 1) + 1;
  if (!at || call < at || (call > at && !stays)) return PASS;
  if (action_signal) {
    syscall(SYS_kill, getpid(), action_signal);
    return PASS;
  }
  if (action_short) return SHORT;
  errno = action_errno;
  return FAIL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define STOP_IF_FAILED(kind, watched, value) \
  if (count_call(kind, watched) == FAIL) return value

static int opened_for(int flags) { return flags & (O_CREAT | O_TRUNC) ? CREATE : OPEN; }

#define DEFINE_OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = va_arg(list, mode_t); \
    va_end(list); \
    STOP_IF_FAILED(opened_for(flags), is_watched(AT_FDCWD, path), -1); \
    return REAL(name)(path, flags, mode); \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name) \
  int name(int directory, const char *path, int flags, ...) { \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = va_arg(list, mode_t); \
    va_end(list); \
    STOP_IF_FAILED(opened_for(flags), is_watched(directory, path), -1); \
    return REAL(name)(directory, path, flags, mode); \
  }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

#define DEFINE_FOPEN(name) \
  FILE *name(const char *path, const char *mode) { \
    STOP_IF_FAILED(mode[0] == 'r' && !strchr(mode, '+') ? OPEN : CREATE, is_watched(AT_FDCWD, path), NULL); \
    return REAL(name)(path, mode); \
  }
DEFINE_FOPEN(fopen)
DEFINE_FOPEN(fopen64)

#define DEFINE_TRANSFER(result, name, kind, parameters, shortened, arguments) \
  result name parameters { \
    enum verdict verdict = count_call(kind, is_watched_descriptor(file)); \
    if (verdict == FAIL) return -1; \
    if (verdict == SHORT) size = shortened; \
    return REAL(name) arguments; \
  }
DEFINE_TRANSFER(ssize_t, read, READ, (int file, void *bytes, size_t size), size / 2, (file, bytes, size))
DEFINE_TRANSFER(ssize_t, pread, READ, (int file, void *bytes, size_t size, off_t from), size / 2, (file, bytes, size, from))
DEFINE_TRANSFER(ssize_t, pread64, READ, (int file, void *bytes, size_t size, off64_t from), size / 2, (file, bytes, size, from))
DEFINE_TRANSFER(ssize_t, write, WRITE, (int file, const void *bytes, size_t size), (size + 1) / 2, (file, bytes, size))
DEFINE_TRANSFER(ssize_t, pwrite, WRITE, (int file, const void *bytes, size_t size, off_t at), (size + 1) / 2, (file, bytes, size, at))
DEFINE_TRANSFER(ssize_t, pwrite64, WRITE, (int file, const void *bytes, size_t size, off64_t at), (size + 1) / 2, (file, bytes, size, at))

ssize_t writev(int file, const struct iovec *parts, int count) {
  STOP_IF_FAILED(WRITE, is_watched_descriptor(file), -1);
  return REAL(writev)(file, parts, count);
}

#define DEFINE_MAP(name, offset) \
  void *name(void *address, size_t size, int protection, int flags, int file, offset from) { \
    STOP_IF_FAILED(MAP, file >= 0 && !(flags & MAP_ANONYMOUS) && is_watched_descriptor(file), MAP_FAILED); \
    return REAL(name)(address, size, protection, flags, file, from); \
  }
DEFINE_MAP(mmap, off_t)
DEFINE_MAP(mmap64, off64_t)

#define DEFINE_CALL(name, kind, watched, parameters, arguments) \
  int name parameters { \
    STOP_IF_FAILED(kind, watched, -1); \
    return REAL(name) arguments; \
  }
DEFINE_CALL(mkstemp, CREATE, is_watched(AT_FDCWD, name), (char *name), (name))
DEFINE_CALL(mkstemp64, CREATE, is_watched(AT_FDCWD, name), (char *name), (name))
DEFINE_CALL(creat, CREATE, is_watched(AT_FDCWD, path), (const char *path, mode_t mode), (path, mode))
DEFINE_CALL(link, CREATE, is_watched(AT_FDCWD, to), (const char *from, const char *to), (from, to))
DEFINE_CALL(symlink, CREATE, is_watched(AT_FDCWD, to), (const char *from, const char *to), (from, to))
DEFINE_CALL(fsync, SYNC, is_watched_descriptor(file), (int file), (file))
DEFINE_CALL(fdatasync, SYNC, is_watched_descriptor(file), (int file), (file))
DEFINE_CALL(rename, RENAME, is_watched(AT_FDCWD, to) || is_watched(AT_FDCWD, from), (const char *from, const char *to), (from, to))
DEFINE_CALL(
  renameat, RENAME, is_watched(b, to) || is_watched(a, from), (int a, const char *from, int b, const char *to), (a, from, b, to))
DEFINE_CALL(
  renameat2, RENAME, is_watched(b, to) || is_watched(a, from), (int a, const char *from, int b, const char *to, unsigned flags),
  (a, from, b, to, flags))
DEFINE_CALL(unlink, REMOVE, is_watched(AT_FDCWD, path), (const char *path), (path))
DEFINE_CALL(unlinkat, REMOVE, is_watched(folder, path), (int folder, const char *path, int flags), (folder, path, flags))
DEFINE_CALL(remove, REMOVE, is_watched(AT_FDCWD, path), (const char *path), (path))
DEFINE_CALL(rmdir, REMOVE, is_watched(AT_FDCWD, path), (const char *path), (path))
DEFINE_CALL(mkdir, MKDIR, is_watched(AT_FDCWD, path), (const char *path, mode_t mode), (path, mode))
DEFINE_CALL(mkdirat, MKDIR, is_watched(folder, path), (int folder, const char *path, mode_t mode), (folder, path, mode))
DEFINE_CALL(chmod, MODE, is_watched(AT_FDCWD, path), (const char *path, mode_t mode), (path, mode))
DEFINE_CALL(fchmod, MODE, is_watched_descriptor(file), (int file, mode_t mode), (file, mode))
DEFINE_CALL(truncate, TRUNCATE, is_watched(AT_FDCWD, path), (const char *path, off_t size), (path, size))
DEFINE_CALL(ftruncate, TRUNCATE, is_watched_descriptor(file), (int file, off_t size), (file, size))

char *mkdtemp(char *name) {
  STOP_IF_FAILED(MKDIR, is_watched(AT_FDCWD, name), NULL);
  return REAL(mkdtemp)(name);
}
