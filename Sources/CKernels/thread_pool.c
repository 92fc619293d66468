// A pool of threads that share one job at a time. Tasks are taken from a counter, so that which thread runs which task varies, but the
// tasks themselves never do. A job ends when its tasks have ended: a helper that sleeps, or that the system runs late, is not waited for.
#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define MAXIMUM_THREADS 256
// Longer than most gaps between two kernels of a step, shorter than anybody notices; waking a thread takes about as long.
#define LONGEST_SPIN 50000
#define SHORTEST_SPIN 2000

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("isb")
#else
#define PAUSE() ((void)0)
#endif

static pthread_mutex_t entry = PTHREAD_MUTEX_INITIALIZER;  // one job at a time
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   // who sleeps and who leaves
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER, job_ended = PTHREAD_COND_INITIALIZER, helper_left = PTHREAD_COND_INITIALIZER;
static atomic_int thread_count = 0, processors = 0;  // 0 until somebody asks
static int helpers = 0, most_helpers = 0;            // threads beside the callers' that are there, and that may be
static atomic_int sleepers = 0;                      // helpers that wait for `work_came`
static atomic_int caller_sleeps = 0;                 // the job's caller waits for `job_ended`

// Whoever takes a count above zero from `untaken` has a task of the job that is on, and the job stays on until it is counted off
// `unfinished`: only then are the other fields read.
static struct {
  graft_task task;
  void *context;
  long count;
  _Alignas(128) atomic_long untaken;
  _Alignas(128) atomic_long unfinished;
} job;

static _Thread_local int inside_task = 0;
static _Thread_local void *thread_local_value = NULL;

static long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int has_work(void) { return atomic_load(&job.untaken) > 0; }
static int has_ended(void) { return atomic_load(&job.unfinished) == 0; }

// A waiter's memory of its waits: it spins where they tend to be short, and otherwise leaves the core to others.
struct patience { long expected; };

static void learn(struct patience *patience, long started) {
  long wait = nanoseconds() - started;
  if (wait > 4 * LONGEST_SPIN) wait = 4 * LONGEST_SPIN;
  patience->expected += (wait - patience->expected) / 8;
}

static int spin(const struct patience *patience, long started, int (*is_over)(void)) {
  long longest = patience->expected < LONGEST_SPIN ? LONGEST_SPIN : SHORTEST_SPIN;
  do {
    for (int i = 0; i < 32; i++) {
      if (is_over()) return 1;
      PAUSE();
    }
  } while (nanoseconds() - started < longest);
  return is_over();
}

// Wakes as many sleepers as there are tasks for, two at most: they wake the next.
static void wake_helpers(void) {
  long tasks = atomic_load(&job.untaken), count = atomic_load(&sleepers);
  if (count > 2) count = 2;
  if (count > tasks) count = tasks;
  if (count <= 0) return;
  pthread_mutex_lock(&lock);  // a helper that saw no work sleeps by now
  pthread_mutex_unlock(&lock);
  while (count-- > 0) pthread_cond_signal(&work_came);
}

static void take_tasks(void) {
  long done = 0, left;
  inside_task = 1;
  while ((left = atomic_fetch_sub(&job.untaken, 1)) > 0) {
    if (done++ == 0) wake_helpers();
    job.task(job.context, job.count - left);
  }
  inside_task = 0;
  if (done > 0 && atomic_fetch_sub(&job.unfinished, done) == done && atomic_load(&caller_sleeps)) {
    pthread_mutex_lock(&lock);
    pthread_cond_signal(&job_ended);
    pthread_mutex_unlock(&lock);
  }
}

// Returns 0 where the thread is one too many.
static int wait_for_work(struct patience *patience) {
  long started = nanoseconds();
  if (!spin(patience, started, has_work)) {
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&sleepers, 1);
    while (!has_work() && helpers <= most_helpers) pthread_cond_wait(&work_came, &lock);
    atomic_fetch_sub(&sleepers, 1);
    int leaves = helpers > most_helpers;
    if (leaves) {
      helpers--;
      pthread_cond_signal(&helper_left);
    }
    pthread_mutex_unlock(&lock);
    if (leaves) return 0;
  }
  learn(patience, started);
  return 1;
}

static void *help(void *unused) {
  struct patience patience = {0};
  while (wait_for_work(&patience)) take_tasks();
  return unused;
}

// Threads beyond the processors would only wait for one another, and keep those that work waiting: there are none.
static int helper_limit(void) {
  int threads = graft_thread_count(), places = graft_processor_count();
  return (threads < places ? threads : places) - 1;
}

static void start_helpers(int count) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 4 << 20);
  pthread_mutex_lock(&lock);
  most_helpers = count;
  for (pthread_t thread; helpers < count && !pthread_create(&thread, &attributes, help, NULL);) helpers++;
  pthread_mutex_unlock(&lock);
  pthread_attr_destroy(&attributes);
}

// Returns when those that are too many have left.
static void limit_helpers(void) {
  pthread_mutex_lock(&lock);
  most_helpers = helper_limit();
  pthread_cond_broadcast(&work_came);
  while (helpers > most_helpers) pthread_cond_wait(&helper_left, &lock);
  pthread_mutex_unlock(&lock);
}

static void wait_for_end(void) {
  static struct patience patience;
  long started = nanoseconds();
  if (!spin(&patience, started, has_ended)) {
    pthread_mutex_lock(&lock);
    atomic_store(&caller_sleeps, 1);
    while (!has_ended()) pthread_cond_wait(&job_ended, &lock);
    atomic_store(&caller_sleeps, 0);
    pthread_mutex_unlock(&lock);
  }
  learn(&patience, started);
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
  int most = helper_limit();
  if (helpers < most) start_helpers(most);
  job.task = task;
  job.context = context;
  job.count = count;
  atomic_store(&job.unfinished, count);
  atomic_store(&job.untaken, count);
  take_tasks();
  if (!has_ended()) wait_for_end();
  pthread_mutex_unlock(&entry);
}

int graft_processor_count(void) {
  long count = atomic_load_explicit(&processors, memory_order_relaxed);
  if (count > 0) return (int)count;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
  if (count < 1) count = sysconf(_SC_NPROCESSORS_ONLN);
  count = count < 1 ? 1 : count > MAXIMUM_THREADS ? MAXIMUM_THREADS : count;
  atomic_store(&processors, (int)count);
  return (int)count;
}

int graft_thread_count(void) {
  int count = atomic_load_explicit(&thread_count, memory_order_relaxed);
  return count > 0 ? count : graft_processor_count();
}

void graft_set_thread_count(int count) {
  pthread_mutex_lock(&entry);
  atomic_store(&thread_count, count < 1 ? 1 : count > MAXIMUM_THREADS ? MAXIMUM_THREADS : count);
  limit_helpers();
  pthread_mutex_unlock(&entry);
}

/// Says that there are more processors or fewer than there are, for the test of the pool, which declares it.
void graft_set_processor_count(int count);
void graft_set_processor_count(int count) {
  pthread_mutex_lock(&entry);
  atomic_store(&processors, count < 1 ? 1 : count > MAXIMUM_THREADS ? MAXIMUM_THREADS : count);
  limit_helpers();
  pthread_mutex_unlock(&entry);
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
