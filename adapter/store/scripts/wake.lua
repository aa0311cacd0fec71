-- Shared by accept, settle and sweep: see that a flush job is on its way.
-- The lease is a text: "job:<id>" a job waits for a worker, "run:<token>" a flush is at work,
-- "wait:<reason>" a backoff runs. Whoever finds no lease wakes one flush, in the step that saw it.
-- A job that still stands in the queue is not pushed again: a dead worker gathers no heap of jobs.
-- JOB (queue, queues, prefix, workspace, pickup_ms, fields) is put before this text by scripts.py.
local function wake(prefix, now)
  if redis.call('EXISTS', prefix .. 'lease') == 1 then
    return
  end
  local waiting = redis.call('GET', prefix .. 'job')
  if waiting and redis.call('LPOS', JOB.queue, waiting) then
    redis.call('SET', prefix .. 'lease', 'job:' .. waiting, 'PX', JOB.pickup_ms)
    return
  end
  local id = 'flush-' .. JOB.workspace .. '-' .. redis.call('INCR', prefix .. 'jobs')
  local key = JOB.prefix .. id
  redis.call('SET', prefix .. 'lease', 'job:' .. id, 'PX', JOB.pickup_ms)
  redis.call('SET', prefix .. 'job', id)
  redis.call('HSET', key, 'created_at', now, 'enqueued_at', now, unpack(JOB.fields))
  redis.call('EXPIRE', key, 86400)
  redis.call('SADD', JOB.queues, JOB.queue)
  redis.call('RPUSH', JOB.queue, id)
end
