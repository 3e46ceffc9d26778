// Between the m_axi master of one process and the kernel's two DRAM ports: the burst at address a goes to port
// (a div BURST) mod 2 (isa/README.md, section 8). Bursts of any length come in; what goes out is cut at multiples of
// BURST bytes. Masters use whole beats, incrementing bursts and whatever ids they like.
//
// Reads. Data come back in the order asked, though ports answer in their own: a FIFO keeps the port of each piece, and a
// FIFO a port keeps its data. A piece is asked for only when its data have room there, so rready never falls: a port
// whose data waited in the interconnect for another port's would hold up a neighbour that the other port waits for.
//
// Writes. A piece's data follow its address, and no other address goes out before them, for the same reason: who holds a
// port's data channel never waits for another port. A beat is lost for each piece, 16 of 17 remain of 256 bytes. One
// response for the pieces of a burst, an error if one of them was.
module xrun_router #(
    parameter WIDTH = 256,  // bits of a beat: of a beat of both ports, since the interconnect behind makes two of one
    parameter BURST = 256,  // bytes, a power of two, at least a beat
    parameter BURSTS = 8    // whole read bursts that may be under way on each port
) (
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi:m0_axi:m1_axi, ASSOCIATED_RESET reset_n" *)
    input wire clk,
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input wire reset_n,

    input wire [0:0] s_axi_arid,
    input wire [63:0] s_axi_araddr,
    input wire [7:0] s_axi_arlen,
    input wire s_axi_arvalid,
    output wire s_axi_arready,
    output wire [0:0] s_axi_rid,
    output wire [WIDTH-1:0] s_axi_rdata,
    output wire [1:0] s_axi_rresp,
    output wire s_axi_rlast,
    output wire s_axi_rvalid,
    input wire s_axi_rready,
    input wire [0:0] s_axi_awid,
    input wire [63:0] s_axi_awaddr,
    input wire [7:0] s_axi_awlen,
    input wire s_axi_awvalid,
    output wire s_axi_awready,
    input wire [WIDTH-1:0] s_axi_wdata,
    input wire [WIDTH/8-1:0] s_axi_wstrb,
    input wire s_axi_wlast,
    input wire s_axi_wvalid,
    output wire s_axi_wready,
    output wire [0:0] s_axi_bid,
    output wire [1:0] s_axi_bresp,
    output wire s_axi_bvalid,
    input wire s_axi_bready,

    output wire [63:0] m0_axi_araddr,
    output wire [7:0] m0_axi_arlen,
    output wire [2:0] m0_axi_arsize,
    output wire [1:0] m0_axi_arburst,
    output wire [3:0] m0_axi_arcache,
    output wire [2:0] m0_axi_arprot,
    output wire m0_axi_arvalid,
    input wire m0_axi_arready,
    input wire [WIDTH-1:0] m0_axi_rdata,
    input wire [1:0] m0_axi_rresp,
    input wire m0_axi_rlast,
    input wire m0_axi_rvalid,
    output wire m0_axi_rready,
    output wire [63:0] m0_axi_awaddr,
    output wire [7:0] m0_axi_awlen,
    output wire [2:0] m0_axi_awsize,
    output wire [1:0] m0_axi_awburst,
    output wire [3:0] m0_axi_awcache,
    output wire [2:0] m0_axi_awprot,
    output wire m0_axi_awvalid,
    input wire m0_axi_awready,
    output wire [WIDTH-1:0] m0_axi_wdata,
    output wire [WIDTH/8-1:0] m0_axi_wstrb,
    output wire m0_axi_wlast,
    output wire m0_axi_wvalid,
    input wire m0_axi_wready,
    input wire [1:0] m0_axi_bresp,
    input wire m0_axi_bvalid,
    output wire m0_axi_bready,

    output wire [63:0] m1_axi_araddr,
    output wire [7:0] m1_axi_arlen,
    output wire [2:0] m1_axi_arsize,
    output wire [1:0] m1_axi_arburst,
    output wire [3:0] m1_axi_arcache,
    output wire [2:0] m1_axi_arprot,
    output wire m1_axi_arvalid,
    input wire m1_axi_arready,
    input wire [WIDTH-1:0] m1_axi_rdata,
    input wire [1:0] m1_axi_rresp,
    input wire m1_axi_rlast,
    input wire m1_axi_rvalid,
    output wire m1_axi_rready,
    output wire [63:0] m1_axi_awaddr,
    output wire [7:0] m1_axi_awlen,
    output wire [2:0] m1_axi_awsize,
    output wire [1:0] m1_axi_awburst,
    output wire [3:0] m1_axi_awcache,
    output wire [2:0] m1_axi_awprot,
    output wire m1_axi_awvalid,
    input wire m1_axi_awready,
    output wire [WIDTH-1:0] m1_axi_wdata,
    output wire [WIDTH/8-1:0] m1_axi_wstrb,
    output wire m1_axi_wlast,
    output wire m1_axi_wvalid,
    input wire m1_axi_wready,
    input wire [1:0] m1_axi_bresp,
    input wire m1_axi_bvalid,
    output wire m1_axi_bready
);
  localparam SIZE = $clog2(WIDTH / 8);   // bits of an address within a beat
  localparam CUT = $clog2(BURST);        // bits of an address within a burst
  localparam BEATS = BURST / (WIDTH / 8);
  localparam ROOM = BURSTS * BEATS;
  localparam PIECES = 4 * BURSTS;        // read pieces in order; short ones are more than BURSTS
  localparam WRITES = 16;                // write pieces whose responses are awaited
  wire clear = !reset_n;

  // What is the same for every burst that goes out: whole beats, incrementing, normal memory.
  assign {m0_axi_arsize, m1_axi_arsize, m0_axi_awsize, m1_axi_awsize} = {4{SIZE[2:0]}};
  assign {m0_axi_arburst, m1_axi_arburst, m0_axi_awburst, m1_axi_awburst} = {4{2'b01}};
  assign {m0_axi_arcache, m1_axi_arcache, m0_axi_awcache, m1_axi_awcache} = {4{4'b0011}};
  assign {m0_axi_arprot, m1_axi_arprot, m0_axi_awprot, m1_axi_awprot} = {4{3'b000}};

  // ------------------------------------------------------------------------------------------------ read addresses
  reg ask;              // a burst is being cut
  reg [63:0] ask_address;
  reg [8:0] ask_left;   // its beats from ask_address on
  reg ask_id;
  wire ask_port = ask_address[CUT];
  wire [63:0] ask_beat = ask_address >> SIZE;
  wire [8:0] ask_fit = BEATS[8:0] - (ask_beat[8:0] & (BEATS[8:0] - 9'd1));
  wire ask_ends = ask_left <= ask_fit;
  wire [8:0] ask_beats = ask_ends ? ask_left : ask_fit;
  reg [15:0] room0, room1;  // beats that the data FIFOs have yet to promise
  wire order_ready;
  wire ask_go = ask && order_ready && (ask_port ? room1 : room0) >= {7'd0, ask_beats};
  assign m0_axi_arvalid = ask_go && !ask_port;
  assign m1_axi_arvalid = ask_go && ask_port;
  wire asked = ask_go && (ask_port ? m1_axi_arready : m0_axi_arready);
  assign s_axi_arready = !ask || (asked && ask_ends);
  assign m0_axi_araddr = ask_address;
  assign m1_axi_araddr = ask_address;
  wire [8:0] ask_last = ask_beats - 9'd1;
  assign m0_axi_arlen = ask_last[7:0];
  assign m1_axi_arlen = ask_last[7:0];
  always @(posedge clk) begin
    if (clear) begin
      ask <= 1'b0;
    end else if (s_axi_arready) begin
      ask <= s_axi_arvalid;
      ask_address <= {s_axi_araddr[63:SIZE], {SIZE{1'b0}}};
      ask_left <= {1'b0, s_axi_arlen} + 9'd1;
      ask_id <= s_axi_arid;
    end else if (asked) begin
      ask_address <= {ask_address[63:CUT] + 1'b1, {CUT{1'b0}}};
      ask_left <= ask_left - ask_beats;
    end
  end

  // ------------------------------------------------------------------------------------------------ read data
  wire order_valid, order_id, order_port, order_ends;
  wire valid0, valid1, last0, last1;
  wire [1:0] resp0, resp1;
  wire [WIDTH-1:0] data0, data1;
  wire piece_last = order_port ? last1 : last0;
  wire given = s_axi_rvalid && s_axi_rready;
  assign s_axi_rvalid = order_valid && (order_port ? valid1 : valid0);
  assign s_axi_rid = order_id;
  assign s_axi_rdata = order_port ? data1 : data0;
  assign s_axi_rresp = order_port ? resp1 : resp0;
  assign s_axi_rlast = piece_last && order_ends;
  xrun_fifo #(.WIDTH(3), .DEPTH(PIECES)) order (
      .clk(clk), .clear(clear), .s_tdata({ask_id, ask_port, ask_ends}), .s_tvalid(asked), .s_tready(order_ready),
      .m_tdata({order_id, order_port, order_ends}), .m_tvalid(order_valid), .m_tready(given && piece_last));
  xrun_fifo #(.WIDTH(WIDTH + 3), .DEPTH(ROOM)) read0 (
      .clk(clk), .clear(clear), .s_tdata({m0_axi_rlast, m0_axi_rresp, m0_axi_rdata}), .s_tvalid(m0_axi_rvalid),
      .s_tready(m0_axi_rready), .m_tdata({last0, resp0, data0}), .m_tvalid(valid0),
      .m_tready(given && !order_port));
  xrun_fifo #(.WIDTH(WIDTH + 3), .DEPTH(ROOM)) read1 (
      .clk(clk), .clear(clear), .s_tdata({m1_axi_rlast, m1_axi_rresp, m1_axi_rdata}), .s_tvalid(m1_axi_rvalid),
      .s_tready(m1_axi_rready), .m_tdata({last1, resp1, data1}), .m_tvalid(valid1), .m_tready(given && order_port));
  always @(posedge clk) begin
    if (clear) begin
      room0 <= ROOM[15:0];
      room1 <= ROOM[15:0];
    end else begin
      room0 <= room0 - (asked && !ask_port ? {7'd0, ask_beats} : 16'd0) + {15'd0, given && !order_port};
      room1 <= room1 - (asked && ask_port ? {7'd0, ask_beats} : 16'd0) + {15'd0, given && order_port};
    end
  end

  // ------------------------------------------------------------------------------------------------ writes
  reg put;              // a burst is being cut
  reg [63:0] put_address;
  reg [8:0] put_left;   // its beats from the piece's first on
  reg [8:0] piece_left; // the piece's beats that have not gone out
  reg put_id;
  reg told;             // the piece's address has gone out
  wire put_port = put_address[CUT];
  wire [63:0] put_beat = put_address >> SIZE;
  wire [8:0] put_fit = BEATS[8:0] - (put_beat[8:0] & (BEATS[8:0] - 9'd1));
  wire put_ends = put_left <= put_fit;
  wire [8:0] put_beats = put_ends ? put_left : put_fit;
  wire [8:0] put_last = put_beats - 9'd1;
  wire wait_ready;
  wire tell = put && !told && wait_ready;
  assign m0_axi_awvalid = tell && !put_port;
  assign m1_axi_awvalid = tell && put_port;
  wire tells = tell && (put_port ? m1_axi_awready : m0_axi_awready);
  assign m0_axi_awaddr = put_address;
  assign m1_axi_awaddr = put_address;
  assign m0_axi_awlen = put_last[7:0];
  assign m1_axi_awlen = put_last[7:0];
  assign m0_axi_wdata = s_axi_wdata;
  assign m1_axi_wdata = s_axi_wdata;
  assign m0_axi_wstrb = s_axi_wstrb;
  assign m1_axi_wstrb = s_axi_wstrb;
  assign m0_axi_wvalid = s_axi_wvalid && told && !put_port;
  assign m1_axi_wvalid = s_axi_wvalid && told && put_port;
  assign m0_axi_wlast = piece_left == 9'd1;
  assign m1_axi_wlast = piece_left == 9'd1;
  assign s_axi_wready = told && (put_port ? m1_axi_wready : m0_axi_wready);
  wire gone = s_axi_wvalid && s_axi_wready;
  wire piece_gone = gone && piece_left == 9'd1;
  assign s_axi_awready = !put || (piece_gone && put_ends);
  always @(posedge clk) begin
    if (clear) begin
      put <= 1'b0;
      told <= 1'b0;
    end else if (s_axi_awready) begin
      put <= s_axi_awvalid;
      told <= 1'b0;
      put_address <= {s_axi_awaddr[63:SIZE], {SIZE{1'b0}}};
      put_left <= {1'b0, s_axi_awlen} + 9'd1;
      put_id <= s_axi_awid;
    end else if (piece_gone) begin
      told <= 1'b0;
      put_address <= {put_address[63:CUT] + 1'b1, {CUT{1'b0}}};
      put_left <= put_left - put_beats;
    end else if (tells) begin
      told <= 1'b1;
      piece_left <= put_beats;
    end else if (gone) begin
      piece_left <= piece_left - 9'd1;
    end
  end

  // ------------------------------------------------------------------------------------------------ responses
  wire wait_valid, wait_id, wait_port, wait_ends;
  wire done0, done1;
  wire [1:0] done_resp0, done_resp1;
  wire done = wait_valid && (wait_port ? done1 : done0);
  wire [1:0] done_resp = wait_port ? done_resp1 : done_resp0;
  wire pop = done && (!wait_ends || s_axi_bready);
  reg [1:0] worst;  // of the pieces of this burst so far
  assign s_axi_bvalid = done && wait_ends;
  assign s_axi_bid = wait_id;
  assign s_axi_bresp = worst > done_resp ? worst : done_resp;
  xrun_fifo #(.WIDTH(3), .DEPTH(WRITES)) waiting (
      .clk(clk), .clear(clear), .s_tdata({put_id, put_port, put_ends}), .s_tvalid(tells), .s_tready(wait_ready),
      .m_tdata({wait_id, wait_port, wait_ends}), .m_tvalid(wait_valid), .m_tready(pop));
  xrun_fifo #(.WIDTH(2), .DEPTH(WRITES)) write0 (
      .clk(clk), .clear(clear), .s_tdata(m0_axi_bresp), .s_tvalid(m0_axi_bvalid), .s_tready(m0_axi_bready),
      .m_tdata(done_resp0), .m_tvalid(done0), .m_tready(pop && !wait_port));
  xrun_fifo #(.WIDTH(2), .DEPTH(WRITES)) write1 (
      .clk(clk), .clear(clear), .s_tdata(m1_axi_bresp), .s_tvalid(m1_axi_bvalid), .s_tready(m1_axi_bready),
      .m_tdata(done_resp1), .m_tvalid(done1), .m_tready(pop && wait_port));
  always @(posedge clk) begin
    if (clear) worst <= 2'b00;
    else if (pop) worst <= wait_ends ? 2'b00 : s_axi_bresp;
  end
  wire unused = s_axi_wlast;
endmodule
