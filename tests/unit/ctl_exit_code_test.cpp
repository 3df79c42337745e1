// The exit codes: every status of the bus has one, and the manual page shows the same table as the code.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "common/base/error_code.h"
#include "tools/compositorctl/cli.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {
namespace {

const ExitCodeInfo& row_of(ExitCode code) {
  for (const ExitCodeInfo& info : exit_code_table()) {
    if (info.code == code) return info;
  }
  ADD_FAILURE() << "no row for exit code " << to_number(code);
  return exit_code_table().front();
}

TEST(CtlExitCode, EveryStatusOfTheBusStandsInTheRowOfItsCode) {
  for (const StatusInfo& info : status_registry()) {
    const ExitCode code = exit_code_of(compositord::to_number(info.status));
    if (is_success(info.status)) {
      EXPECT_EQ(code, ExitCode::kDone);
      continue;
    }
    const std::string statuses = " " + std::string(row_of(code).statuses) + " ";
    EXPECT_NE(statuses.find(" " + std::to_string(compositord::to_number(info.status)) + " "), std::string::npos)
        << info.name << " gives " << to_number(code) << ", whose row has" << statuses;
  }
}

TEST(CtlExitCode, EveryStatusOfTheTableIsOneOfTheBus) {
  for (const ExitCodeInfo& row : exit_code_table()) {
    if (row.code == ExitCode::kDone) continue;
    std::istringstream statuses{std::string(row.statuses)};
    for (int status = 0; statuses >> status;) {
      EXPECT_NE(status_name(static_cast<Status>(status)), "unknown") << status;
      EXPECT_EQ(exit_code_of(static_cast<std::uint16_t>(status)), row.code) << status;
    }
  }
}

TEST(CtlExitCode, StatusesOfANewerBrokerHaveOneToo) {
  EXPECT_EQ(exit_code_of(299), ExitCode::kDone);
  EXPECT_EQ(exit_code_of(418), ExitCode::kRefused);
  EXPECT_EQ(exit_code_of(599), ExitCode::kFailed);
  EXPECT_EQ(exit_code_of(0), ExitCode::kFailed);
}

TEST(CtlExitCode, TableAscends) {
  std::set<int> codes;
  for (const ExitCodeInfo& row : exit_code_table()) {
    EXPECT_TRUE(codes.empty() || *codes.rbegin() < to_number(row.code));
    codes.insert(to_number(row.code));
  }
}

// ".It 3" and the text up to the next request, from the section EXIT STATUS.
std::map<int, std::string> rows_of_page(const std::string& path) {
  std::ifstream page(path);
  std::map<int, std::string> rows;
  int code = -1;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with(".Sh ")) inside = line == ".Sh EXIT STATUS";
    if (!inside) continue;
    if (line.starts_with(".It ")) {
      code = std::stoi(line.substr(4));
      rows[code];
    } else if (line.starts_with('.')) {
      code = -1;
    } else if (code >= 0) {
      rows[code] += (rows[code].empty() ? "" : " ") + line;
    }
  }
  return rows;
}

TEST(CtlExitCode, ManualPageShowsTheSameTable) {
  std::map<int, std::string> expected;
  for (const ExitCodeInfo& row : exit_code_table()) {
    std::string text(row.meaning);
    if (!row.statuses.empty()) text += " (" + std::string(row.statuses) + ")";
    expected[to_number(row.code)] = text;
  }
  EXPECT_EQ(rows_of_page(COMPOSITORD_CTL_PAGE), expected);
}

TEST(CtlExitCode, HelpShowsTheSameTable) {
  const char* words[] = {"compositorctl", "--help"};
  const std::string help = parse_command_line(2, words).text;
  for (const ExitCodeInfo& row : exit_code_table()) EXPECT_NE(help.find(row.meaning), std::string::npos) << row.meaning;
}

}  // namespace
}  // namespace compositord::ctl
