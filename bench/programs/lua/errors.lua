-- Errors that are caught, and coroutines: needs a Lua whose errors unwind.
print(pcall(error, "boom"))
print(pcall(function() local x; return x.y end))
print(xpcall(function() error({code = 7}) end, function(e) return "handled " .. e.code end))

local closed = setmetatable({}, {__close = function(_, e) print("closing on", e) end})
print(pcall(function()
  local guard <close> = closed
  error("inside", 0)
end))

local function deep(n) return 1 + deep(n + 1) end
print(select(2, pcall(deep, 1)):match("stack overflow"))

local function range(n)
  return coroutine.wrap(function()
    for i = 1, n do coroutine.yield(i) end
  end)
end
local sum = 0
for i in range(20000) do sum = sum + i end
print("sum", sum)

local co = coroutine.create(function(a)
  local b = coroutine.yield(a + 1)
  error("after " .. b, 0)
end)
print(coroutine.resume(co, 1))
print(coroutine.resume(co, "two"))
print(coroutine.status(co))

local caught = 0
for i = 1, 20000 do
  local ok = pcall(function() if i % 3 == 0 then error(i) end end)
  if not ok then caught = caught + 1 end
end
print("caught", caught)
