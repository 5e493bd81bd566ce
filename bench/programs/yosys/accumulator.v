// An 8-bit accumulator machine with a 16-word program memory: something to synthesise.
module alu (
    input  [2:0] op,
    input  [7:0] a, b,
    output reg [7:0] y,
    output zero
);
    always @* begin
        case (op)
            3'd0: y = b;
            3'd1: y = a + b;
            3'd2: y = a - b;
            3'd3: y = a & b;
            3'd4: y = a | b;
            3'd5: y = a ^ b;
            3'd6: y = {a[6:0], a[7]};
            default: y = {a[0], a[7:1]};
        endcase
    end
    assign zero = y == 8'd0;
endmodule

module accumulator (
    input clk, reset, load,
    input  [3:0]  load_address,
    input  [10:0] load_word,
    output reg [7:0] value,
    output reg done
);
    reg [10:0] program [0:15];
    reg [3:0] pc;
    wire [10:0] word = program[pc];
    wire [7:0] result;
    wire zero;

    alu unit (.op(word[10:8]), .a(value), .b(word[7:0]), .y(result), .zero(zero));

    always @(posedge clk) begin
        if (load)
            program[load_address] <= load_word;
        if (reset) begin
            pc <= 4'd0;
            value <= 8'd0;
            done <= 1'b0;
        end else if (!done) begin
            value <= result;
            pc <= zero ? 4'd0 : pc + 4'd1;
            done <= pc == 4'd15;
        end
    end
endmodule
