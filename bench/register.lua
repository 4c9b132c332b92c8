-- PUT /v1/catalog/register: an instance with its check, another port each time, so that every
-- request changes something. A thousand instances of each thread, on a hundred nodes.
local instances = 1000
local threads = 0
local head, form

function setup(thread)
   thread:set("id", threads)
   threads = threads + 1
end

function init(args)
   head = string.format("PUT /v1/catalog/register HTTP/1.1\r\nHost: %s:%s\r\n", wrk.host, wrk.port)
   -- The thread, and the number of the run, which makes the port another than the last run's.
   form = '{"Node":"bench-%d-%02d","Address":"10.1.%d.%d",'
      .. '"Service":{"ID":"api-%03d","Service":"api-%02d","Tags":["v1"],"Port":%d},'
      .. '"Check":{"CheckID":"service:api-%03d","Name":"api","Status":"passing",'
      .. '"Output":"HTTP GET http://localhost/health: 200 OK","ServiceID":"api-%03d"}}'
   count = tonumber(args[1]) * 1000000
end

function request()
   count = count + 1
   local number = count % instances
   local node = number % 100
   local port = 1024 + math.floor(count / instances) % 60000
   local body = string.format(
      form, id, node, id, node, number, math.floor(number / 10), port, number, number)
   return head .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end
