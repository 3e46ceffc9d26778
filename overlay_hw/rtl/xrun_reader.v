// Reads of one process: between its streams and the kernel's DRAM ports. A run comes in, address of its first beat and
// number of beats; its beats go out in the order asked. The burst at address a goes to port (a div BURST) mod PORTS
// (isa/README.md, section 8), so what is asked of a port is cut at multiples of BURST bytes.
//
// Ports answer in their own order: a FIFO keeps the port of each piece, and a FIFO a port keeps its data. A piece is asked
// for only when its data have room there, so rready never falls: a port whose data waited in the interconnect for another
// port's would hold up a neighbour that the other port waits for.
module xrun_reader #(
    parameter WIDTH = 256,  // bits of a beat: of a beat of all ports, since the interconnect behind makes two of one
    parameter BURST = 256,  // bytes, a power of two, at least a beat
    parameter BURSTS = 8,   // whole bursts that may be under way on each port
    parameter PORTS = 2,    // 1 or 2
    parameter RUNS = 4      // that may wait
) (
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_ask:m_data:m0_axi:m1_axi, ASSOCIATED_RESET reset_n" *)
    input wire clk,
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input wire reset_n,

    input wire [95:0] s_ask_tdata,  // beats, then address in bytes
    input wire s_ask_tvalid,
    output wire s_ask_tready,
    output wire [WIDTH+7:0] m_data_tdata,  // 1 for an error, then the beat
    output wire m_data_tvalid,
    input wire m_data_tready,

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
    output wire m1_axi_rready
);
  localparam SIZE = $clog2(WIDTH / 8);   // bits of an address within a beat
  localparam BEATS = BURST / (WIDTH / 8);
  localparam ROOM = BURSTS * BEATS;
  localparam PIECES = 4 * BURSTS;        // in order; short ones are more than BURSTS
  wire clear = !reset_n;

  // What is the same for every burst: whole beats, incrementing, normal memory.
  assign {m0_axi_arsize, m1_axi_arsize} = {2{SIZE[2:0]}};
  assign {m0_axi_arburst, m1_axi_arburst} = {2{2'b01}};
  assign {m0_axi_arcache, m1_axi_arcache} = {2{4'b0011}};
  assign {m0_axi_arprot, m1_axi_arprot} = {2{3'b000}};

  // ------------------------------------------------------------------------------------------------ addresses
  wire ask, ask_port, ask_ends, asked;  // a piece is to be asked for, and is
  wire [63:0] ask_address;
  wire [8:0] ask_beats;
  xrun_cutter #(.WIDTH(WIDTH), .BURST(BURST), .PORTS(PORTS), .RUNS(RUNS)) cutter (
      .clk(clk), .clear(clear), .s_tdata(s_ask_tdata), .s_tvalid(s_ask_tvalid), .s_tready(s_ask_tready), .valid(ask),
      .address(ask_address), .beats(ask_beats), .port(ask_port), .ends(ask_ends), .take(asked));
  reg [15:0] room0, room1;  // beats that the data FIFOs have yet to promise
  wire order_ready;
  wire ask_go = ask && order_ready && (ask_port ? room1 : room0) >= {7'd0, ask_beats};
  assign m0_axi_arvalid = ask_go && !ask_port;
  assign m1_axi_arvalid = ask_go && ask_port;
  assign asked = ask_go && (ask_port ? m1_axi_arready : m0_axi_arready);
  assign m0_axi_araddr = ask_address;
  assign m1_axi_araddr = ask_address;
  wire [8:0] ask_last = ask_beats - 9'd1;
  assign m0_axi_arlen = ask_last[7:0];
  assign m1_axi_arlen = ask_last[7:0];

  // ------------------------------------------------------------------------------------------------ data
  wire order_valid, order_port;
  wire valid0, valid1, last0, last1, error0, error1;
  wire [WIDTH-1:0] data0, data1;
  wire piece_last = order_port ? last1 : last0;
  wire given = m_data_tvalid && m_data_tready;
  assign m_data_tvalid = order_valid && (order_port ? valid1 : valid0);
  assign m_data_tdata = {7'd0, order_port ? {error1, data1} : {error0, data0}};
  xrun_fifo #(.WIDTH(1), .DEPTH(PIECES)) order (
      .clk(clk), .clear(clear), .s_tdata(ask_port), .s_tvalid(asked), .s_tready(order_ready), .m_tdata(order_port),
      .m_tvalid(order_valid), .m_tready(given && piece_last));
  xrun_fifo #(.WIDTH(WIDTH + 2), .DEPTH(ROOM)) read0 (
      .clk(clk), .clear(clear), .s_tdata({m0_axi_rlast, m0_axi_rresp[1], m0_axi_rdata}), .s_tvalid(m0_axi_rvalid),
      .s_tready(m0_axi_rready), .m_tdata({last0, error0, data0}), .m_tvalid(valid0), .m_tready(given && !order_port));
  xrun_fifo #(.WIDTH(WIDTH + 2), .DEPTH(ROOM)) read1 (
      .clk(clk), .clear(clear), .s_tdata({m1_axi_rlast, m1_axi_rresp[1], m1_axi_rdata}), .s_tvalid(m1_axi_rvalid),
      .s_tready(m1_axi_rready), .m_tdata({last1, error1, data1}), .m_tvalid(valid1), .m_tready(given && order_port));
  always @(posedge clk) begin
    if (clear) begin
      room0 <= ROOM[15:0];
      room1 <= ROOM[15:0];
    end else begin
      room0 <= room0 - (asked && !ask_port ? {7'd0, ask_beats} : 16'd0) + {15'd0, given && !order_port};
      room1 <= room1 - (asked && ask_port ? {7'd0, ask_beats} : 16'd0) + {15'd0, given && order_port};
    end
  end
  wire unused = m0_axi_rresp[0] ^ m1_axi_rresp[0] ^ ask_ends;
endmodule
