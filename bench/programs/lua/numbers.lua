-- Arithmetic: Mandelbrot in floats, a sieve and modular powers in integers.
local function mandelbrot(n)
  local inside = 0
  for y = 0, n - 1 do
    local ci = 2.0 * y / n - 1
    for x = 0, n - 1 do
      local cr, zr, zi, i = 2.0 * x / n - 1.5, 0.0, 0.0, 0
      while i < 50 and zr * zr + zi * zi <= 4.0 do
        zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
        i = i + 1
      end
      if i == 50 then inside = inside + 1 end
    end
  end
  return inside
end

local function count_primes(limit)
  local composite, count = {}, 0
  for i = 2, limit do
    if not composite[i] then
      count = count + 1
      for j = i * i, limit, i do composite[j] = true end
    end
  end
  return count
end

local function power(base, exponent, modulus)
  local result = 1
  while exponent > 0 do
    if exponent & 1 == 1 then result = result * base % modulus end
    base, exponent = base * base % modulus, exponent >> 1
  end
  return result
end

print("mandelbrot", mandelbrot(160))
print("primes", count_primes(300000))
local sum = 0
for base = 2, 4000 do sum = (sum * 31 + power(base, 1000003, 998244353)) % 1000000007 end
print("powers", sum)
