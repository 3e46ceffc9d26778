// Writes of one process: between its streams and the kernel's DRAM ports. A run comes in, address of its first beat and
// number of beats, then its beats with an enable for each byte; a response goes out for each run, once every byte is there.
// The burst at address a goes to port (a div BURST) mod PORTS (isa/README.md, section 8).
//
// A piece of a run, up to the next multiple of BURST, is gathered whole in its port's FIFO before its address goes out, so
// its data follow without a pause: who holds a port's data channel never waits for another port, and both ports are busy
// with pieces that lie one behind the other. A run's response is an error if one of its pieces' was.
module xrun_writer #(
    parameter WIDTH = 256,  // bits of a beat: of a beat of all ports, since the interconnect behind makes two of one
    parameter BURST = 256,  // bytes, a power of two, at least a beat
    parameter BURSTS = 2,   // whole bursts that may be gathered for each port
    parameter PORTS = 2,    // 1 or 2
    parameter RUNS = 4      // that may wait
) (
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_tell:s_put:m_done:m0_axi:m1_axi, ASSOCIATED_RESET reset_n" *)
    input wire clk,
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input wire reset_n,

    input wire [95:0] s_tell_tdata,  // beats, then address in bytes
    input wire s_tell_tvalid,
    output wire s_tell_tready,
    input wire [WIDTH+WIDTH/8-1:0] s_put_tdata,  // enables, then the beat
    input wire s_put_tvalid,
    output wire s_put_tready,
    output wire [7:0] m_done_tdata,  // 1 for an error
    output wire m_done_tvalid,
    input wire m_done_tready,

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
  localparam BEATS = BURST / (WIDTH / 8);
  localparam WRITES = 16;                // pieces whose responses are awaited
  wire clear = !reset_n;

  // What is the same for every burst: whole beats, incrementing, normal memory.
  assign {m0_axi_awsize, m1_axi_awsize} = {2{SIZE[2:0]}};
  assign {m0_axi_awburst, m1_axi_awburst} = {2{2'b01}};
  assign {m0_axi_awcache, m1_axi_awcache} = {2{4'b0011}};
  assign {m0_axi_awprot, m1_axi_awprot} = {2{3'b000}};

  // ------------------------------------------------------------------------------------------------ cutting
  wire put, put_port, put_ends;  // a piece is being gathered
  wire [63:0] put_address;
  wire [8:0] put_beats;
  wire piece_came;
  xrun_cutter #(.WIDTH(WIDTH), .BURST(BURST), .PORTS(PORTS), .RUNS(RUNS)) cutter (
      .clk(clk), .clear(clear), .s_tdata(s_tell_tdata), .s_tvalid(s_tell_tvalid), .s_tready(s_tell_tready), .valid(put),
      .address(put_address), .beats(put_beats), .port(put_port), .ends(put_ends), .take(piece_came));
  reg [8:0] put_done;  // the piece's beats that have come
  wire piece_last = put_done + 9'd1 == put_beats;
  wire wait_ready, data_ready0, data_ready1, piece_ready0, piece_ready1;
  wire put_ready = put && wait_ready && (put_port ? data_ready1 && piece_ready1 : data_ready0 && piece_ready0);
  assign s_put_tready = put_ready;
  wire came = s_put_tvalid && put_ready;
  assign piece_came = came && piece_last;
  always @(posedge clk) begin
    if (clear) put_done <= 9'd0;
    else if (came) put_done <= piece_last ? 9'd0 : put_done + 9'd1;
  end

  // ------------------------------------------------------------------------------------------------ ports
  wire [8:0] put_last = put_beats - 9'd1;
  wire [71:0] piece = {put_last[7:0], put_address};

  xrun_write_port #(.WIDTH(WIDTH), .BEATS(BURSTS * BEATS)) port0 (
      .clk(clk), .clear(clear), .s_piece(piece), .s_piece_valid(piece_came && !put_port), .s_piece_ready(piece_ready0),
      .s_beat(s_put_tdata), .s_beat_valid(came && !put_port), .s_beat_ready(data_ready0), .awaddr(m0_axi_awaddr),
      .awlen(m0_axi_awlen), .awvalid(m0_axi_awvalid), .awready(m0_axi_awready), .wdata(m0_axi_wdata),
      .wstrb(m0_axi_wstrb), .wlast(m0_axi_wlast), .wvalid(m0_axi_wvalid), .wready(m0_axi_wready));
  xrun_write_port #(.WIDTH(WIDTH), .BEATS(BURSTS * BEATS)) port1 (
      .clk(clk), .clear(clear), .s_piece(piece), .s_piece_valid(piece_came && put_port), .s_piece_ready(piece_ready1),
      .s_beat(s_put_tdata), .s_beat_valid(came && put_port), .s_beat_ready(data_ready1), .awaddr(m1_axi_awaddr),
      .awlen(m1_axi_awlen), .awvalid(m1_axi_awvalid), .awready(m1_axi_awready), .wdata(m1_axi_wdata),
      .wstrb(m1_axi_wstrb), .wlast(m1_axi_wlast), .wvalid(m1_axi_wvalid), .wready(m1_axi_wready));

  // ------------------------------------------------------------------------------------------------ responses
  wire wait_valid, wait_port, wait_ends;
  wire done0, done1, error0, error1;
  wire done = wait_valid && (wait_port ? done1 : done0);
  wire error = wait_port ? error1 : error0;
  wire pop = done && (!wait_ends || m_done_tready);
  reg worst;  // of the pieces of this run so far
  assign m_done_tvalid = done && wait_ends;
  assign m_done_tdata = {7'd0, worst || error};
  xrun_fifo #(.WIDTH(2), .DEPTH(WRITES)) waiting (
      .clk(clk), .clear(clear), .s_tdata({put_port, put_ends}), .s_tvalid(piece_came), .s_tready(wait_ready),
      .m_tdata({wait_port, wait_ends}), .m_tvalid(wait_valid), .m_tready(pop));
  xrun_fifo #(.WIDTH(1), .DEPTH(WRITES)) response0 (
      .clk(clk), .clear(clear), .s_tdata(m0_axi_bresp[1]), .s_tvalid(m0_axi_bvalid), .s_tready(m0_axi_bready),
      .m_tdata(error0), .m_tvalid(done0), .m_tready(pop && !wait_port));
  xrun_fifo #(.WIDTH(1), .DEPTH(WRITES)) response1 (
      .clk(clk), .clear(clear), .s_tdata(m1_axi_bresp[1]), .s_tvalid(m1_axi_bvalid), .s_tready(m1_axi_bready),
      .m_tdata(error1), .m_tvalid(done1), .m_tready(pop && wait_port));
  always @(posedge clk) begin
    if (clear) worst <= 1'b0;
    else if (pop) worst <= !wait_ends && (worst || error);
  end
  wire unused = m0_axi_bresp[0] ^ m1_axi_bresp[0];
endmodule
