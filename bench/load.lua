-- wrk script.  The modes come after "--":  get | upload BYTES | think MEAN_MS
-- done() prints one line of JSON, which load.py reads.
local counter = 0

function setup(thread)
  thread:set("seed", 7 + counter)
  counter = counter + 1
end

function init(args)
  local mode = args[1] or "get"
  if mode == "upload" then
    wrk.method = "POST"
    wrk.body = string.rep("u", tonumber(args[2]))
    wrk.headers["Content-Type"] = "application/octet-stream"
  elseif mode == "think" then
    local mean = tonumber(args[2])
    math.randomseed(seed)
    delay = function()
      return math.floor(-mean * math.log(1 - math.random()) + 0.5)
    end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests": %d, "duration_us": %d, "bytes": %d, "connect": %d, ' ..
    '"read": %d, "write": %d, "status": %d, "timeout": %d, ' ..
    '"p50": %d, "p90": %d, "p99": %d}\n',
    summary.requests, summary.duration, summary.bytes, e.connect, e.read, e.write,
    e.status, e.timeout, latency:percentile(50), latency:percentile(90),
    latency:percentile(99)))
end
