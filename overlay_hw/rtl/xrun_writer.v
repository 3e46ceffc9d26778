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
  localparam CUT = $clog2(BURST);        // bits of an address within a burst
  localparam BEATS = BURST / (WIDTH / 8);
  localparam WRITES = 16;                // pieces whose responses are awaited
  wire clear = !reset_n;

  // What is the same for every burst: whole beats, incrementing, normal memory.
  assign {m0_axi_awsize, m1_axi_awsize} = {2{SIZE[2:0]}};
  assign {m0_axi_awburst, m1_axi_awburst} = {2{2'b01}};
  assign {m0_axi_awcache, m1_axi_awcache} = {2{4'b0011}};
  assign {m0_axi_awprot, m1_axi_awprot} = {2{3'b000}};

  // ------------------------------------------------------------------------------------------------ cutting
  wire [95:0] run;
  wire run_valid, run_ready;
  xrun_fifo #(.WIDTH(96), .DEPTH(RUNS)) runs (
      .clk(clk), .clear(clear), .s_tdata(s_tell_tdata), .s_tvalid(s_tell_tvalid), .s_tready(s_tell_tready), .m_tdata(run),
      .m_tvalid(run_valid), .m_tready(run_ready));
  reg put;              // a run is being cut
  reg [63:0] put_address;
  reg [31:0] put_left;  // its beats from the piece's first on
  reg [8:0] put_done;   // the piece's beats that have come
  wire put_port = PORTS == 2 && put_address[CUT];
  wire [63:0] put_beat = put_address >> SIZE;
  wire [8:0] put_fit = BEATS[8:0] - (put_beat[8:0] & (BEATS[8:0] - 9'd1));
  wire put_ends = put_left <= {23'd0, put_fit};
  wire [8:0] put_beats = put_ends ? put_left[8:0] : put_fit;
  wire piece_last = put_done + 9'd1 == put_beats;
  wire wait_ready, data_ready0, data_ready1, piece_ready0, piece_ready1;
  wire put_ready = put && wait_ready && (put_port ? data_ready1 && piece_ready1 : data_ready0 && piece_ready0);
  assign s_put_tready = put_ready;
  wire came = s_put_tvalid && put_ready;
  wire piece_came = came && piece_last;
  assign run_ready = !put || (piece_came && put_ends);
  always @(posedge clk) begin
    if (clear) begin
      put <= 1'b0;
      put_done <= 9'd0;
    end else begin
      if (came) put_done <= piece_last ? 9'd0 : put_done + 9'd1;
      if (run_ready) begin
        put <= run_valid;
        put_address <= {run[63:SIZE], {SIZE{1'b0}}};
        put_left <= run[95:64];
      end else if (piece_came) begin
        put_address <= {put_address[63:CUT] + 1'b1, {CUT{1'b0}}};
        put_left <= put_left - {23'd0, put_beats};
      end
    end
  end

  // ------------------------------------------------------------------------------------------------ ports
  wire [8:0] put_last = put_beats - 9'd1;
  wire [71:0] piece = {put_last[7:0], put_address};

  wire [71:0] piece0;
  wire [WIDTH+WIDTH/8-1:0] data0;
  wire piece_valid0, data_valid0;
  reg telling0, sending0;  // the piece's address, its data have yet to go out
  reg [71:0] now0;
  reg [7:0] left0;
  assign m0_axi_awvalid = telling0;
  assign {m0_axi_awlen, m0_axi_awaddr} = now0;
  assign {m0_axi_wstrb, m0_axi_wdata} = data0;
  assign m0_axi_wvalid = sending0 && data_valid0;
  assign m0_axi_wlast = left0 == 8'd0;
  wire sent0 = m0_axi_wvalid && m0_axi_wready;
  wire tells0 = !telling0 || m0_axi_awready, sends0 = !sending0 || (sent0 && m0_axi_wlast);
  wire next0 = tells0 && sends0;
  xrun_fifo #(.WIDTH(72), .DEPTH(4)) pieces0 (
      .clk(clk), .clear(clear), .s_tdata(piece), .s_tvalid(piece_came && !put_port), .s_tready(piece_ready0),
      .m_tdata(piece0), .m_tvalid(piece_valid0), .m_tready(next0));
  xrun_fifo #(.WIDTH(WIDTH + WIDTH / 8), .DEPTH(BURSTS * BEATS)) write0 (
      .clk(clk), .clear(clear), .s_tdata(s_put_tdata), .s_tvalid(came && !put_port), .s_tready(data_ready0),
      .m_tdata(data0), .m_tvalid(data_valid0), .m_tready(sent0));
  always @(posedge clk) begin
    if (clear) begin
      telling0 <= 1'b0;
      sending0 <= 1'b0;
    end else if (next0) begin
      telling0 <= piece_valid0;
      sending0 <= piece_valid0;
      now0 <= piece0;
      left0 <= piece0[71:64];
    end else begin
      if (m0_axi_awready) telling0 <= 1'b0;
      if (sent0) begin
        left0 <= left0 - 8'd1;
        if (m0_axi_wlast) sending0 <= 1'b0;
      end
    end
  end

  wire [71:0] piece1;
  wire [WIDTH+WIDTH/8-1:0] data1;
  wire piece_valid1, data_valid1;
  reg telling1, sending1;  // the piece's address, its data have yet to go out
  reg [71:0] now1;
  reg [7:0] left1;
  assign m1_axi_awvalid = telling1;
  assign {m1_axi_awlen, m1_axi_awaddr} = now1;
  assign {m1_axi_wstrb, m1_axi_wdata} = data1;
  assign m1_axi_wvalid = sending1 && data_valid1;
  assign m1_axi_wlast = left1 == 8'd0;
  wire sent1 = m1_axi_wvalid && m1_axi_wready;
  wire tells1 = !telling1 || m1_axi_awready, sends1 = !sending1 || (sent1 && m1_axi_wlast);
  wire next1 = tells1 && sends1;
  xrun_fifo #(.WIDTH(72), .DEPTH(4)) pieces1 (
      .clk(clk), .clear(clear), .s_tdata(piece), .s_tvalid(piece_came && put_port), .s_tready(piece_ready1),
      .m_tdata(piece1), .m_tvalid(piece_valid1), .m_tready(next1));
  xrun_fifo #(.WIDTH(WIDTH + WIDTH / 8), .DEPTH(BURSTS * BEATS)) write1 (
      .clk(clk), .clear(clear), .s_tdata(s_put_tdata), .s_tvalid(came && put_port), .s_tready(data_ready1),
      .m_tdata(data1), .m_tvalid(data_valid1), .m_tready(sent1));
  always @(posedge clk) begin
    if (clear) begin
      telling1 <= 1'b0;
      sending1 <= 1'b0;
    end else if (next1) begin
      telling1 <= piece_valid1;
      sending1 <= piece_valid1;
      now1 <= piece1;
      left1 <= piece1[71:64];
    end else begin
      if (m1_axi_awready) telling1 <= 1'b0;
      if (sent1) begin
        left1 <= left1 - 8'd1;
        if (m1_axi_wlast) sending1 <= 1'b0;
      end
    end
  end

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
