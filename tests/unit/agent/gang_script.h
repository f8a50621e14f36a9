// Scripts that stand in for mpirun and its ranks.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace prefixmem::agent {

// Writes an executable Python script; gives its path. It is called as mpirun is and may use
//   flag(name)          the word after a flag of the command line
//   Rank(number)        connects to the agent and says hello; .send(step={…}), .log(text); of a
//                       trial of a bank .log(text, trial), .result(trial), .fail(trial, code,
//                       text); .hear() waits for a line of the agent
//   trials()            the bank's file, which is the word after --bank
//   say(text)           one line on stderr
//   wait_for(path)      until somebody has made a file, which the test does
//   wait_for_signals()  for ever
inline std::filesystem::path write_script(const std::filesystem::path& file,
                                          const std::string& body) {
  static constexpr const char* kPrelude = R"(#!/usr/bin/env -S python3 -S
import json, os, pathlib, signal, socket, subprocess, sys, time

def flag(name):
    return sys.argv[sys.argv.index(name) + 1]

class Rank:
    def __init__(self, number=0):
        self.number = number
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(flag("--events"))
        self.lines = self.socket.makefile()
        self.send(hello={"rank": number, "pid": os.getpid()})
    def send(self, **line):
        self.socket.sendall(json.dumps(line).encode() + b"\n")
    def log(self, text, trial=None):
        of = {} if trial is None else {"trial": trial}
        self.send(log={"rank": self.number, "level": "info", "message": str(text)}, **of)
    def result(self, trial):
        self.send(result={"steps": 1}, trial=trial)
    def fail(self, trial, code, text):
        failure = {"rank": self.number, "code": code, "message": text}
        self.send(failure=failure, trial=trial)
    def hear(self):
        line = self.lines.readline()
        return json.loads(line)

def trials():
    return json.loads(pathlib.Path(flag("--bank")).read_text())["trials"]

def say(text):
    print(text, file=sys.stderr, flush=True)

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)

def wait_for_signals():
    while True:
        signal.pause()
)";
  std::ofstream(file) << kPrelude << body;
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file;
}

}  // namespace prefixmem::agent
