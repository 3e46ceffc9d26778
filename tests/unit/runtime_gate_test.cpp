#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "runtime/launch_gate.h"

namespace xrun::runtime {
namespace {

using namespace std::chrono_literals;

TEST(LaunchGate, EqualsNeverWaitAndHigherOnesDoNotWaitForLower) {
  LaunchGate gate;
  const std::atomic<bool> abort{false};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(gate.Enter(1, 1, abort));
  EXPECT_TRUE(gate.Enter(2, 1, abort));
  gate.Leave(2);
  for (int i = 0; i < 5; ++i) gate.Leave(1);
}

TEST(LaunchGate, LowerOnesUseTheRoomThatIsLeftAndWaitForMore) {
  LaunchGate gate;
  const std::atomic<bool> abort{false};
  ASSERT_TRUE(gate.Enter(2, 2, abort));
  ASSERT_TRUE(gate.Enter(0, 2, abort)) << "one of two places is free";
  gate.Leave(0);
  ASSERT_TRUE(gate.Enter(1, 2, abort));
  std::atomic<bool> entered{false};
  std::thread low([&] {
    entered = gate.Enter(0, 2, abort);
    gate.Leave(0);
  });
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(entered);
  gate.Leave(1);
  low.join();
  EXPECT_TRUE(entered);
  gate.Leave(2);
}

TEST(LaunchGate, AbortEndsAWait) {
  LaunchGate gate;
  std::atomic<bool> abort{false};
  const std::atomic<bool> never{false};
  ASSERT_TRUE(gate.Enter(2, 1, never));
  std::atomic<bool> entered{true};
  std::thread low([&] { entered = gate.Enter(0, 1, abort); });
  std::this_thread::sleep_for(5ms);
  abort = true;
  gate.Wake();
  low.join();
  EXPECT_FALSE(entered);
  gate.Leave(2);
}

}  // namespace
}  // namespace xrun::runtime
