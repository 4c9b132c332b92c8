-- A transaction that sets 64 keys of this thread to new 20-byte values.
-- One of sixteen groups of keys in turn; within a transaction all values are equal.
local size = 64
local groups = 16
local threads = 0
local parts = {}
local head

function setup(thread)
   thread:set("id", threads)
   threads = threads + 1
end

-- Base64 of 20 bytes: 26 digits, "A" and "=".
local function value(salt, number)
   return string.format("%010d%016dA=", salt, number)
end

-- The pieces of a body between which the value stands.
local function pieces(group)
   local list = {}
   for n = 1, size do
      local before = n == 1 and "[" or '"}},'
      local key = string.format("bench/txn/%d/%02d/%02d", id, group, n)
      list[n] = before .. '{"KV":{"Verb":"set","Key":"' .. key .. '","Value":"'
   end
   list[size + 1] = '"}}]'
   return list
end

function init(args)
   salt = tonumber(args[1])
   count = 0
   for group = 0, groups - 1 do
      parts[group] = pieces(group)
   end
   local length = #table.concat(parts[0], value(salt, 0))
   head = string.format("PUT /v1/txn HTTP/1.1\r\nHost: %s:%s\r\nContent-Length: %d\r\n\r\n",
      wrk.host, wrk.port, length)
end

function request()
   count = count + 1
   return head .. table.concat(parts[count % groups], value(salt, count))
end
