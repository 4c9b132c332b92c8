-- PUT of a new 20-byte value to one of a thousand keys of this thread, in turn.
local keys = 1000
local threads = 0
local form

function setup(thread)
   thread:set("id", threads)
   threads = threads + 1
end

function init(args)
   local head = string.format("PUT /v1/kv/bench/put/%d/%%03d HTTP/1.1\r\n", id)
   local host = string.format("Host: %s:%s\r\n", wrk.host, wrk.port)
   form = head .. host .. "Content-Length: 20\r\n\r\n" .. string.format("%010d", args[1]) .. "%010d"
   count = 0
end

function request()
   count = count + 1
   return string.format(form, count % keys, count)
end
