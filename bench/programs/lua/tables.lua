-- Tables, closures and metatables: queens, matrices, a class hierarchy, a priority queue.
local function queens(n)
  local columns, up, down, solutions = {}, {}, {}, 0
  local function place(row)
    if row > n then
      solutions = solutions + 1
      return
    end
    for column = 1, n do
      local u, d = row + column, row - column + n
      if not (columns[column] or up[u] or down[d]) then
        columns[column], up[u], down[d] = true, true, true
        place(row + 1)
        columns[column], up[u], down[d] = nil, nil, nil
      end
    end
  end
  place(1)
  return solutions
end

local Matrix = {}
Matrix.__index = Matrix
function Matrix.new(n, entry)
  local m = setmetatable({n = n}, Matrix)
  for i = 1, n do
    m[i] = {}
    for j = 1, n do m[i][j] = entry(i, j) end
  end
  return m
end
function Matrix.__mul(a, b)
  return Matrix.new(a.n, function(i, j)
    local sum = 0
    for k = 1, a.n do sum = sum + a[i][k] * b[k][j] end
    return sum
  end)
end

local Shape = {}
Shape.__index = Shape
function Shape:scaled(k) return self:area() * k end
local Square = setmetatable({}, {__index = Shape})
Square.__index = Square
function Square.new(side) return setmetatable({side = side}, Square) end
function Square:area() return self.side * self.side end
local Circle = setmetatable({}, {__index = Shape})
Circle.__index = Circle
function Circle.new(radius) return setmetatable({radius = radius}, Circle) end
function Circle:area() return 3 * self.radius * self.radius end

-- A binary heap; smaller comes first.
local function push(heap, value)
  local i = #heap + 1
  heap[i] = value
  while i > 1 and heap[i // 2] > heap[i] do
    heap[i], heap[i // 2] = heap[i // 2], heap[i]
    i = i // 2
  end
end
local function pop(heap)
  local top, n = heap[1], #heap
  heap[1] = heap[n]
  heap[n] = nil
  n = n - 1
  local i = 1
  while true do
    local child = 2 * i
    if child > n then break end
    if child < n and heap[child + 1] < heap[child] then child = child + 1 end
    if heap[i] <= heap[child] then break end
    heap[i], heap[child] = heap[child], heap[i]
    i = child
  end
  return top
end

print("queens", queens(8))

local product = Matrix.new(40, function(i, j) return i + j end)
product = product * product
print("matrix", product[1][1], product[40][40])

local total = 0
for i = 1, 60000 do
  local shape = i % 2 == 0 and Square.new(i % 10) or Circle.new(i % 7)
  total = total + shape:scaled(2)
end
print("shapes", total)

local heap, seed, hash = {}, 7, 0
for _ = 1, 12000 do
  seed = (seed * 16807) % 2147483647
  push(heap, seed)
end
for _ = 1, 12000 do hash = (hash * 31 + pop(heap)) % 1000000007 end
print("heap", hash)
