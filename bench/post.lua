-- Tells wrk to POST the body of a file. Argument: path of the file.
function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.body = file:read("*a")
  file:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

-- One line that the benchmark reads: requests, microseconds, answers other than 2xx and 3xx, broken ones.
function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration, errors.status, broken,
    latency:percentile(99)))
end
