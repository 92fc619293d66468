// A pool of threads that share one job at a time. Tasks are taken from a counter, so that which thread
// runs which task varies, but the tasks themselves never do.
#include "CKernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MAXIMUM_THREADS 256
// About 50 microseconds: longer than the gap between two kernels of one step, shorter than anybody notices.
#define SPINS 4000

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

static pthread_mutex_t entry = PTHREAD_MUTEX_INITIALIZER;  // one job at a time
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int wanted_threads = 0, started_workers = 0;
static atomic_long generation = 0;
static atomic_int sleepers = 0;

static struct {
  graft_task task;
  void *context;
  long count;
  int workers;           // how many workers take part
  atomic_long next;
  atomic_int unfinished; // workers that have not yet left the job
} job;

static _Thread_local int inside_task = 0;
static _Thread_local void *thread_local_value = NULL;

static void take_tasks(void) {
  inside_task = 1;
  for (;;) {
    long index = atomic_fetch_add_explicit(&job.next, 1, memory_order_relaxed);
    if (index >= job.count) break;
    job.task(job.context, index);
  }
  inside_task = 0;
}

struct start { int index; long generation; };

static void *work(void *argument) {
  struct start *start = argument;
  int index = start->index;
  long seen = start->generation;
  free(start);
  for (;;) {
    int spins = 0;
    while (atomic_load_explicit(&generation, memory_order_acquire) == seen && spins++ < SPINS) PAUSE();
    if (atomic_load_explicit(&generation, memory_order_acquire) == seen) {
      pthread_mutex_lock(&lock);
      atomic_fetch_add(&sleepers, 1);
      while (atomic_load(&generation) == seen) pthread_cond_wait(&wake, &lock);
      atomic_fetch_sub(&sleepers, 1);
      pthread_mutex_unlock(&lock);
    }
    seen = atomic_load_explicit(&generation, memory_order_acquire);
    if (index <= job.workers) take_tasks();
    atomic_fetch_sub_explicit(&job.unfinished, 1, memory_order_release);
  }
  return NULL;
}

static void start_workers(int count) {
  while (started_workers < count) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 4 << 20);
    struct start *start = malloc(sizeof *start);
    int failed = !start;
    if (start) {
      *start = (struct start){.index = started_workers + 1, .generation = atomic_load(&generation)};
      failed = pthread_create(&thread, &attributes, work, start);
      if (failed) free(start);
    }
    pthread_attr_destroy(&attributes);
    if (failed) break;
    started_workers++;
  }
}

void graft_parallel(long count, graft_task task, void *context) {
  if (count <= 0) return;
  if (inside_task || count == 1 || graft_thread_count() == 1) {
    int outer = inside_task;
    inside_task = 1;
    for (long i = 0; i < count; i++) task(context, i);
    inside_task = outer;
    return;
  }
  pthread_mutex_lock(&entry);
  // Workers start only between jobs, knowing the last one, so that none counts itself out of a job it never joined.
  start_workers(graft_thread_count() - 1);
  job.task = task;
  job.context = context;
  job.count = count;
  job.workers = graft_thread_count() - 1;
  atomic_store_explicit(&job.next, 0, memory_order_relaxed);
  atomic_store_explicit(&job.unfinished, started_workers, memory_order_relaxed);
  pthread_mutex_lock(&lock);
  atomic_fetch_add_explicit(&generation, 1, memory_order_release);
  if (atomic_load(&sleepers) > 0) pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&lock);
  take_tasks();
  int spins = 0;
  while (atomic_load_explicit(&job.unfinished, memory_order_acquire) > 0) {
    if (spins++ < SPINS) PAUSE();
    else sched_yield();
  }
  pthread_mutex_unlock(&entry);
}

void graft_set_thread_count(int count) {
  pthread_mutex_lock(&entry);
  wanted_threads = count < 1 ? 1 : count > MAXIMUM_THREADS ? MAXIMUM_THREADS : count;
  pthread_mutex_unlock(&entry);
}

int graft_thread_count(void) {
  if (wanted_threads == 0) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    wanted_threads = cores < 1 ? 1 : cores > MAXIMUM_THREADS ? MAXIMUM_THREADS : (int)cores;
  }
  return wanted_threads;
}

void *graft_thread_local_get(void) { return thread_local_value; }
void graft_thread_local_set(void *value) { thread_local_value = value; }

const char *graft_instruction_set(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return "x86-64-v4";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "x86-64-v3";
  return "x86-64";
#elif defined(__aarch64__)
  return "arm64";
#else
  return "generic";
#endif
}
