// One DRAM port of a writer: pieces whose beats are all here go out, each an address and then its beats without a pause.
module xrun_write_port #(
    parameter WIDTH = 256,  // bits of a beat
    parameter BEATS = 16    // that may be gathered
) (
    input wire clk,
    input wire clear,

    input wire [71:0] s_piece,  // beats less one, then address
    input wire s_piece_valid,   // with the last of its beats
    output wire s_piece_ready,
    input wire [WIDTH+WIDTH/8-1:0] s_beat,  // enables, then the beat
    input wire s_beat_valid,
    output wire s_beat_ready,

    output wire [63:0] awaddr,
    output wire [7:0] awlen,
    output wire awvalid,
    input wire awready,
    output wire [WIDTH-1:0] wdata,
    output wire [WIDTH/8-1:0] wstrb,
    output wire wlast,
    output wire wvalid,
    input wire wready
);
  wire [71:0] piece;
  wire piece_valid, beat_valid;
  reg telling, sending;  // the piece's address, its beats have yet to go out
  reg [71:0] now;
  reg [7:0] left;
  assign awvalid = telling;
  assign {awlen, awaddr} = now;
  assign wvalid = sending && beat_valid;
  assign wlast = left == 8'd0;
  wire sent = wvalid && wready;
  wire next = (!telling || awready) && (!sending || (sent && wlast));
  xrun_fifo #(.WIDTH(72), .DEPTH(4)) pieces (
      .clk(clk), .clear(clear), .s_tdata(s_piece), .s_tvalid(s_piece_valid), .s_tready(s_piece_ready), .m_tdata(piece),
      .m_tvalid(piece_valid), .m_tready(next));
  xrun_fifo #(.WIDTH(WIDTH + WIDTH / 8), .DEPTH(BEATS)) gathered (
      .clk(clk), .clear(clear), .s_tdata(s_beat), .s_tvalid(s_beat_valid), .s_tready(s_beat_ready),
      .m_tdata({wstrb, wdata}), .m_tvalid(beat_valid), .m_tready(sent));
  always @(posedge clk) begin
    if (clear) begin
      telling <= 1'b0;
      sending <= 1'b0;
    end else if (next) begin
      telling <= piece_valid;
      sending <= piece_valid;
      now <= piece;
      left <= piece[71:64];
    end else begin
      if (awready) telling <= 1'b0;
      if (sent) begin
        left <= left - 8'd1;
        if (wlast) sending <= 1'b0;
      end
    end
  end
endmodule
