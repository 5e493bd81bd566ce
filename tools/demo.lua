-- What tools/demo runs: Lua, compiled to WebAssembly, interpreted by Catnap.

print(_VERSION .. " says hello from inside WebAssembly.")
print("arguments: " .. table.concat(arg, " "))

-- Files are seen through the directory that the command line gives, and through no other.
local file = assert(io.open(arg[1]))
local lines, words = 0, 0
for line in file:lines() do
    lines = lines + 1
    for _ in line:gmatch("%S+") do words = words + 1 end
end
file:close()
print(("%s has %d lines and %d words"):format(arg[1], lines, words))
print("/etc/passwd: " .. tostring(select(2, io.open("/etc/passwd"))))

-- Some work: the Mandelbrot set.
for row = -11, 11 do
    local line = {}
    for column = -52, 25 do
        local x, y, a, b, steps = column / 26, row / 10, 0, 0, 0
        while a * a + b * b < 4 and steps < 200 do
            a, b, steps = a * a - b * b + x, 2 * a * b + y, steps + 1
        end
        line[#line + 1] = steps == 200 and "#" or steps > 12 and "+" or steps > 5 and "." or " "
    end
    print((table.concat(line):gsub("%s+$", "")))
end
