-- GET of keys picked at random among the 10 000 that bench/operations.py wrote.
local keys = 10000
local threads = 0
local requests = {}

function setup(thread)
   thread:set("id", threads)
   threads = threads + 1
end

function init(args)
   -- The threads must not ask for the same keys at the same time.
   math.randomseed(tonumber(args[1]) * 1000 + id)
   for key = 0, keys - 1 do
      requests[key] = wrk.format("GET", string.format("/v1/kv/bench/random/%05d", key))
   end
end

function request()
   return requests[math.random(0, keys - 1)]
end
