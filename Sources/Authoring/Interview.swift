package import PortModel
internal import Site

/// The questions that lead to a starting file, in a few words each, with an answer proposed where
/// there is one.
package struct Interview {
    /// The facts about the host that the questions are asked on.
    package struct Host {
        /// The host's name, proposed for its node where a node may be called so; nil where it is
        /// not known.
        package var name: String?
        /// All its addresses.
        package var addresses: Set<IPAddress>
        /// The one that is most likely a node's.
        package var address: IPAddress?
        /// From where the administrator is logged in by SSH.
        package var client: IPAddress?

        package init(
            name: String? = nil, addresses: Set<IPAddress> = [], address: IPAddress? = nil,
            client: IPAddress? = nil
        ) {
            self.name = name
            self.addresses = addresses
            self.address = address
            self.client = client
        }
    }

    private let host: Host
    private let ask: (String) throws -> String
    private let say: (String) -> Void

    /// - Parameters:
    ///   - ask: shows a question and returns what is answered; throws where nothing more comes.
    ///   - say: shows a line.
    package init(
        of host: Host, ask: @escaping (String) throws -> String, say: @escaping (String) -> Void
    ) {
        self.host = host
        self.ask = ask
        self.say = say
    }

    /// Asks all questions, each until its answer can be taken.
    ///
    /// - Throws: errors of `ask`: nothing more comes.
    package func answers() throws -> Answers {
        say("Return takes the answer in brackets; nothing is written before the end.")
        var answers = Answers()
        let places = Placement.allCases.map { "\($0.rawValue) (\($0.place))" }
        answers.placement = try answer(
            "Where does the agent run: \(alternatives(places))?",
            or: Placement.local.rawValue
        ) { text throws(AnswerProblem) in
            guard let placement = Placement(rawValue: text) else {
                throw AnswerProblem("write \(Placement.words)")
            }
            return placement
        }
        try askForNodes(&answers)
        let optional = Feature.allCases.filter { $0 != .ssh }.map(\.rawValue)
        say("Optional parts of the product: \(optional.joined(separator: ", ")).")
        let features = try answer("Which of them are used?", or: "none") {
            text throws(AnswerProblem) in
            try Answers.features(text == "none" ? [] : Self.words(text))
        }
        try askForSSH(&answers)
        answers.use(features)
        if answers.placement.facts.judgesHost {
            answers.dhcpClient = try answer("Does this host get its address by DHCP?", or: "no") {
                text throws(AnswerProblem) in
                switch text.lowercased() {
                case "yes", "y": return true
                case "no", "n": return false
                default: throw AnswerProblem("write yes or no")
                }
            }
        }
        return answers
    }

    private func askForNodes(_ answers: inout Answers) throws {
        let profile = Answers.profile
        // Of most nodes: a deployment grows by those that carry calls.
        let usual = profile.roleNames.first(where: profile.carriesCalls)
        say("All nodes of the deployment, one after another: each is a peer of the others.")
        while true {
            let isOwn = answers.placement.facts.judgesHost && answers.nodes.isEmpty
            let known = answers
            let question =
                isOwn
                ? "Name of the node that this host is"
                : known.nodes.isEmpty ? "Name of a node" : "Name of another node (. for no more)"
            let proposal =
                isOwn ? host.name.flatMap { Deployment.isName($0) ? $0 : nil } : nil
            let name = try answer(question, or: proposal) { text throws(AnswerProblem) in
                if text == ".", !known.nodes.isEmpty { return String?.none }
                let name = try NodeAnswer.name(text)
                try known.checkName(name)
                return name
            }
            guard let name else { return }
            let role = try answer(
                "Role of \(name), \(NodeAnswer.roles)", or: usual?.rawValue, NodeAnswer.role)
            let addresses = try answer(
                "Primary address of \(name), or one of each family joined by +",
                or: isOwn ? host.address?.description : nil
            ) { text throws(AnswerProblem) in
                let addresses = try NodeAnswer.addresses(text)
                try known.checkAddresses(addresses)
                return addresses
            }
            var node = NodeAnswer(name: name, role: role, addresses: addresses)
            if profile[role]?.mayBeDualHomed == true {
                node.secondaryAddresses = try answer(
                    "Secondary address of \(name), if it is dual-homed", or: "none"
                ) { text throws(AnswerProblem) in
                    if text == "none" { return [] }
                    let secondary = try NodeAnswer.addresses(text)
                    try known.checkAddresses(secondary, beside: addresses)
                    return secondary
                }
            }
            try answers.add(node)
        }
    }

    private func askForSSH(_ answers: inout Answers) throws {
        var proposal = Answers.SSHAccess.closed
        if let client = host.client, answers.include(host.addresses) {
            say(
                "You are logged in by SSH from \(client), which is closed unless it is opened here."
            )
            proposal = Answers.SSHAccess(aroundClient: client)
        }
        answers.ssh = try answer(
            "From where is SSH to the nodes open: any, none, or addresses and prefixes?",
            or: proposal.text
        ) { text throws(AnswerProblem) in try Answers.SSHAccess(parsing: Self.words(text)) }
    }

    /// Asks until the answer can be taken.
    private func answer<Value>(
        _ question: String, or proposal: String?,
        _ parse: (String) throws(AnswerProblem) -> Value
    ) throws -> Value {
        while true {
            let line = try ask(question + (proposal.map { " [\($0)] " } ?? " ")).trimmed
            do throws(AnswerProblem) {
                return try parse(line.isEmpty ? proposal ?? "" : line)
            } catch {
                say("  \(error)")
            }
        }
    }

    private static func words(_ text: String) -> [String] {
        text.split { $0 == " " || $0 == "," || $0 == "\t" }.map(String.init)
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
