-- Strings: building, patterns, formatting, sorting, a frequency table.
local words, seed = {}, 42
local function random(n)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return (seed >> 8) % n
end
for i = 1, 12000 do
  local letters = {}
  for j = 1, 2 + random(7) do letters[j] = string.char(97 + random(26)) end
  words[i] = table.concat(letters)
end
local text = table.concat(words, " ")

local frequency = {}
for word in text:gmatch("%a+") do
  local key = word:sub(1, 2)
  frequency[key] = (frequency[key] or 0) + 1
end
local keys = {}
for key in pairs(frequency) do keys[#keys + 1] = key end
table.sort(keys, function(a, b)
  if frequency[a] ~= frequency[b] then return frequency[a] > frequency[b] end
  return a < b
end)
for i = 1, 5 do print(string.format("%-4s%5d", keys[i], frequency[keys[i]])) end

table.sort(words)
print(words[1], words[#words // 2], words[#words])

local swapped, count = text:gsub("(%a)(%a)", "%2%1")
print(#swapped, count)
print(select(2, text:upper():gsub("[AEIOU]+", "")))
local numbers = {}
for i = 1, 20000 do numbers[i] = string.format("%d:%x:%.3f", i, i * i, i / 7) end
local joined = table.concat(numbers, ",")
local hash = 5381
for i = 1, #joined do hash = (hash * 33 + joined:byte(i)) & 0xffffffff end
print(#joined, hash)
print(text:find("qz%a*x"))
print(text:rep(3):reverse():sub(1, 20))
