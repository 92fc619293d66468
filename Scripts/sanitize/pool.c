// Jobs of the pool from one thread and from several, with other numbers of threads in between, jobs within jobs, and
// pauses long enough that the workers fall asleep: under ThreadSanitizer, and each task must have run exactly once.
#include "CKernels.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_TASKS 5000

struct work { long done[MOST_TASKS]; };

static void inner(void *context, long index) { ((long *)context)[index] += 1; }

static void task(void *context, long index) {
  struct work *work = context;
  work->done[index] += 1;
  if (index % 97 == 0) {
    long few[3] = {0};
    graft_parallel(3, inner, few);
    if (few[0] != 1 || few[1] != 1 || few[2] != 1) abort();
  }
}

static void run(long count) {
  static _Thread_local struct work work;
  memset(&work, 0, sizeof work);
  graft_parallel(count, task, &work);
  for (long i = 0; i < MOST_TASKS; i++)
    if (work.done[i] != (i < count)) abort();
}

static void *caller(void *argument) {
  for (long round = 0; round < 300; round++) run((round * 37 + (long)argument) % MOST_TASKS);
  return NULL;
}

int main(void) {
  static const int threads[] = {2, 4, 1, 8, 3};
  for (int i = 0; i < 5; i++) {
    graft_set_thread_count(threads[i]);
    caller((void *)1L);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    pthread_t callers[3];
    for (long c = 0; c < 3; c++) pthread_create(&callers[c], NULL, caller, (void *)c);
    for (int c = 0; c < 3; c++) pthread_join(callers[c], NULL);
  }
  puts("pool: clean");
  return 0;
}
