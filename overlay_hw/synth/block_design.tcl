# Procedures that build the overlay's block design from wiring.tcl. Needs ::xrun_config, a dict of the constants of
# config.h (kBanks, kCP, ...), which build.py writes; the HLS IPs in the IP repository; and rtl/*.v as sources.
# Every cell is an HLS IP or one of the modules of rtl/; there is no third kind but constants and the interconnect.

namespace eval xrun {
  variable readers {}  ;# of the HLS processes' plain wires: nothing to be held
  variable kinds       ;# memory -> banked or simple
  variable cells       ;# memory -> list of indices of its cells, "0_1"
  variable widths      ;# memory -> bits of a cell
  array set kinds {}
  array set cells {}
  array set widths {}
}

# The value of an expression of constants, kCP+1.
proc xrun_value {expression} {
  foreach name [dict keys $::xrun_config] {
    regsub -all "\\m$name\\M" $expression [dict get $::xrun_config $name] expression
  }
  return [expr $expression]
}

# Bits that count `words` things.
proc xrun_bits {words} {
  set bits 1
  while {(1 << $bits) < $words} { incr bits }
  return $bits
}

# Indices of an array of cells of the given extents: {2 3} -> 0_0 0_1 0_2 1_0 1_1 1_2.
proc xrun_indices {extents} {
  set indices {{}}
  foreach extent $extents {
    set longer {}
    foreach index $indices {
      for {set i 0} {$i < [xrun_value $extent]} {incr i} {
        lappend longer [expr {$index eq {} ? $i : "${index}_$i"}]
      }
    }
    set indices $longer
  }
  return $indices
}

proc xrun_net {driver args} {
  foreach pin $args { connect_bd_net [get_bd_pins $driver] [get_bd_pins $pin] }
}

proc xrun_module {module name args} {
  create_bd_cell -type module -reference $module $name
  foreach {parameter value} $args { set_property CONFIG.$parameter $value [get_bd_cells $name] }
  xrun_net clock/clk $name/clk
}

# Clock, reset and what happens around a launch. Once, before everything else.
proc xrun_begin {name} {
  create_bd_design $name
  create_bd_port -dir I -type clk ap_clk
  create_bd_port -dir I -type rst ap_rst_n
  create_bd_port -dir O -type intr interrupt
  create_bd_cell -type module -reference xrun_clock clock
  connect_bd_net [get_bd_ports ap_clk] [get_bd_pins clock/in]
  xrun_module xrun_launch launch
  connect_bd_net [get_bd_ports ap_rst_n] [get_bd_pins launch/reset_n]
}

# An HLS IP. The control is started by the host over s_axilite, all others once a launch.
proc xrun_process {name top} {
  create_bd_cell -type ip -vlnv xrun:overlay:$top:1.0 $name
  xrun_net clock/clk $name/ap_clk
  connect_bd_net [get_bd_ports ap_rst_n] [get_bd_pins $name/ap_rst_n]
  if {$name eq "control"} {
    make_bd_intf_pins_external -name s_axi_control [get_bd_intf_pins control/s_axi_control]
    connect_bd_net [get_bd_ports interrupt] [get_bd_pins control/interrupt]
    xrun_net control/clear_ap_vld launch/begin_launch
    xrun_net launch/cycles control/clock
    return
  }
  xrun_module xrun_start start_of_$name
  connect_bd_net [get_bd_ports ap_rst_n] [get_bd_pins start_of_$name/reset_n]
  xrun_net launch/start start_of_$name/start
  xrun_net $name/ap_ready start_of_$name/ap_ready
  xrun_net start_of_$name/ap_start $name/ap_start
}

proc xrun_memory {name kind extents words bits} {
  set xrun::kinds($name) $kind
  set xrun::cells($name) [xrun_indices $extents]
  set words [xrun_value $words]
  set bits [xrun_value $bits]
  set address [xrun_bits $words]
  set style [expr {[dict exists $::xrun_config style_$name] ? [dict get $::xrun_config style_$name] : "block"}]
  foreach index $xrun::cells($name) {
    set cell mem_${name}_$index
    if {$kind eq "banked"} {
      # Bank groups are runs of neighbouring banks: kBanks / 8 each.
      set bank [lindex [split $index _] 0]
      set group [expr {$bank / ([xrun_value kBanks] / 8)}]
      xrun_module xrun_bank $cell WORDS $words WIDTH $bits ADDRESS $address GROUP $group STYLE $style
      xrun_net launch/phase $cell/phase
      xrun_net launch/clear $cell/clear
    } else {
      xrun_module xrun_ram $cell WORDS $words WIDTH $bits ADDRESS $address STYLE $style
    }
  }
}

# A client's pins of every cell of a memory: ap_memory of one port.
proc xrun_client {process argument memory port slot direction} {
  set prefix [expr {$port eq "A" ? "a" : $slot eq "" ? "b" : "s$slot"}]
  foreach index $xrun::cells($memory) {
    set from $process/${argument}_$index
    set cell mem_${memory}_$index/$prefix
    xrun_net ${from}_address0 ${cell}_address
    xrun_net ${from}_ce0 ${cell}_ce
    if {$direction eq "write"} {
      xrun_net ${from}_we0 ${cell}_we
      xrun_net ${from}_d0 ${cell}_d
    } else {
      xrun_net ${cell}_q ${from}_q0
    }
  }
}

# A FIFO as wide as its reader's port.
proc xrun_fifo {name depth writer reader} {
  set bytes [get_property CONFIG.TDATA_NUM_BYTES [get_bd_intf_pins $reader]]
  xrun_module xrun_fifo fifo_$name WIDTH [expr {8 * $bytes}] DEPTH [xrun_value $depth]
  xrun_net launch/clear fifo_$name/clear
  xrun_net ${writer}_TDATA fifo_$name/s_tdata
  xrun_net ${writer}_TVALID fifo_$name/s_tvalid
  xrun_net fifo_$name/s_tready ${writer}_TREADY
  xrun_net fifo_$name/m_tdata ${reader}_TDATA
  xrun_net fifo_$name/m_tvalid ${reader}_TVALID
  xrun_net ${reader}_TREADY fifo_$name/m_tready
}

# Two streams of a process that it never uses, of an array whose others it does: one to the other, so that Vivado finds
# no pin without a driver.
proc xrun_unused {writer reader} {
  foreach pin {TDATA TVALID} { xrun_net ${writer}_$pin ${reader}_$pin }
  xrun_net ${reader}_TREADY ${writer}_TREADY
}

# A register that others read: held until it is written again, zero from launch to launch.
proc xrun_wire {name writer readers} {
  set width [expr {$name eq "rows_acquired" ? 32 : 1}]
  xrun_module xrun_hold hold_$name WIDTH $width
  xrun_net launch/clear hold_$name/clear
  xrun_net $writer hold_$name/d
  xrun_net ${writer}_ap_vld hold_$name/valid
  foreach reader $readers { xrun_net hold_$name/q $reader }
}

# The fields an engine reports: a register each.
proc xrun_report {name writer readers} {
  for {set field 0} {$field < [xrun_value kReportFields]} {incr field} {
    set hold hold_${name}_$field
    xrun_module xrun_hold $hold WIDTH 32
    xrun_net launch/clear $hold/clear
    xrun_net ${writer}_$field $hold/d
    xrun_net ${writer}_${field}_ap_vld $hold/valid
    foreach reader $readers { xrun_net $hold/q ${reader}_$field }
  }
}

# DRAM behind the kernel's masters m_axi_NAME0, m_axi_NAME1, ..., each shared by several processes. A kernel's master is
# as wide as a port of the board's; the interconnect makes two of its beats from one of a process, which is as wide as all.
proc xrun_dram {name ports count} {
  for {set port 0} {$port < [xrun_value $ports]} {incr port} {
    set axi axi_$name$port
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 $axi
    set_property -dict [list CONFIG.NUM_SI $count CONFIG.NUM_MI 1 CONFIG.HAS_ARESETN 1] [get_bd_cells $axi]
    xrun_net clock/clk $axi/aclk
    connect_bd_net [get_bd_ports ap_rst_n] [get_bd_pins $axi/aresetn]
    make_bd_intf_pins_external -name m_axi_$name$port [get_bd_intf_pins $axi/M00_AXI]
    set_property CONFIG.DATA_WIDTH [expr {8 * [xrun_value kBusBytes] / [xrun_value $ports]}] \
      [get_bd_intf_ports m_axi_$name$port]
  }
}

# Number `index` of the readers and writers: a process's streams on one side, all ports of the DRAM on the other.
proc xrun_router {name ports bytes index process argument direction bursts} {
  set module [expr {$direction eq "read" ? "xrun_reader" : "xrun_writer"}]
  set route route_${process}_$argument
  xrun_module $module $route WIDTH [expr {8 * [xrun_value kBusBytes]}] BURST [xrun_value $bytes] \
    BURSTS [xrun_value $bursts] PORTS [xrun_value $ports] RUNS [xrun_value kRunsAhead]
  connect_bd_net [get_bd_ports ap_rst_n] [get_bd_pins $route/reset_n]
  # Both directions of a stream are named from the process's side.
  foreach {stream way} [expr {$direction eq "read" ? {ask out data in} : {tell out put out done in}}] {
    set from $process/${argument}_$stream
    if {$way eq "out"} {
      xrun_net ${from}_TDATA $route/s_${stream}_tdata
      xrun_net ${from}_TVALID $route/s_${stream}_tvalid
      xrun_net $route/s_${stream}_tready ${from}_TREADY
    } else {
      xrun_net $route/m_${stream}_tdata ${from}_TDATA
      xrun_net $route/m_${stream}_tvalid ${from}_TVALID
      xrun_net ${from}_TREADY $route/m_${stream}_tready
    }
  }
  for {set port 0} {$port < [xrun_value $ports]} {incr port} {
    connect_bd_intf_net [get_bd_intf_pins $route/m${port}_axi] \
      [get_bd_intf_pins axi_$name$port/[format S%02d_AXI $index]]
  }
}

proc xrun_end {} {
  assign_bd_address
  validate_bd_design
  save_bd_design
}
