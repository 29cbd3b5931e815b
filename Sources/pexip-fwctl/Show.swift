import ArgumentParser

/// `pexip-fwctl show …`
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what is in force or stored; changes nothing.",
        subcommands: [
            ShowPorts.self, ShowNodes.self, ShowRules.self, ShowGenerations.self,
            ShowCounters.self, ShowDrops.self,
        ])
}
