import Control
import JSONValue

/// Compares what types read and write with what an interface's text says of them.
struct Comparison {
    private let text: InterfaceText
    private(set) var differences: [String] = []
    /// The text's types that some type of ours is.
    private(set) var reached: Set<String> = []
    /// How many fields of text the comments list the values of.
    private(set) var lists = 0
    private var compared: Set<Pair> = []

    private struct Pair: Hashable {
        let name: String
        let type: ObjectIdentifier
    }

    init(_ text: InterfaceText) { self.text = text }

    mutating func compare<Method: InterfaceMethod>(
        _ method: Method, _ declared: InterfaceText.Method
    ) {
        let name = method.description.name
        compareCodec(of: Method.Parameters.self, .structure(declared.parameters), name)
        guard declared.reply.count == 1, let reply = declared.reply.first,
            reply.name == method.description.reply.name
        else { return differ(name, "replies with another member") }
        compareCodec(of: Method.Reply.self, reply.type, "\(name).\(reply.name)")
    }

    private mutating func differ(_ place: String, _ what: String) {
        differences.append("\(place) \(what)")
    }

    /// - Parameter comment: of the type that has the field.
    private mutating func compareCodec<Value: Codable>(
        of type: Value.Type, _ declared: VarlinkType, _ place: String, comment: String = ""
    ) {
        do {
            let written = try JSONValue(encoding: Sample.value(type, .full))
            switch (declared, written) {
            case (.named(let name), _):
                guard let declaration = text.types[name] else {
                    return differ(place, "is of a type that is not declared")
                }
                reached.insert(name)
                let pair = Pair(name: name, type: ObjectIdentifier(type))
                guard compared.insert(pair).inserted else { return }
                compareCodec(of: type, declaration.type, name, comment: declaration.comment)
            case (.array(let item), .array):
                guard let list = type as? any ListShape.Type else {
                    return differ(place, "is no list")
                }
                compare(list.item, item, "\(place)[]")
            case (.map(let item), .object):
                guard let map = type as? any MapShape.Type else {
                    return differ(place, "is no map")
                }
                compare(map.item, item, "\(place)[]")
            case (.structure(let fields), .object):
                try compareFields(type, fields, place, comment)
            case (.words(let words), .string):
                let all = (type as? any Words.Type)?.all ?? []
                if Set(all) != Set(words) { differ(place, "is one of \(all)") }
            case (.string, .string), (.bool, .bool): break
            case (.int, .integer):
                if !(type is any FixedWidthInteger.Type) { differ(place, "is no integer") }
            case (.float, .number): break
            default: differ(place, "is written as \(written)")
            }
        } catch {
            differ(place, "can't be read: \(error)")
        }
    }

    private mutating func compare(
        _ type: any Decodable.Type, _ declared: VarlinkType, _ place: String
    ) {
        guard let type = type as? any Codable.Type else {
            return differ(place, "is not written")
        }
        compareCodec(of: type, declared, place)
    }

    private mutating func compareFields<Value: Codable>(
        _ type: Value.Type, _ fields: [VarlinkField], _ place: String, _ comment: String
    ) throws {
        let members = try Sample.members(of: type)
        let (read, said) = (members.map(\.name), fields.map(\.name))
        if read != said { return differ(place, "reads \(read), not \(said)") }
        for (member, field) in zip(members, fields) {
            let place = "\(place).\(field.name)"
            var declared = field.type
            if case .optional(let type) = declared { declared = type }
            if member.isOptional != (declared != field.type) {
                differ(place, member.isOptional ? "is optional" : "is not optional")
            }
            if let words = comment.words(of: field.name) {
                lists += 1
                if let all = (member.type as? any Words.Type)?.all, all.sorted() != words.sorted() {
                    differ(place, "is one of \(all)")
                }
            }
            compare(member.type, declared, place)
        }
        let needed = members.filter { !$0.isOptional }.map(\.name)
        for (amount, names) in [(Sample.Amount.full, said), (.sparse, needed)] {
            let written = try JSONValue(encoding: Sample.value(type, amount))
            if written.object?.map(\.key) != names.sorted() {
                differ(place, "is written as \(written), not with \(names)")
            }
            let again = try JSONValue(encoding: written.decoded(as: type))
            if again != written { differ(place, "is read as \(again), not \(written)") }
        }
    }
}

extension String {
    /// The words that a comment says a field is one of.
    fileprivate func words(of field: String) -> [String]? {
        let plain = replacing(/\s*\([^)]*\)/, with: "")
        for match in plain.matches(of: /([A-Za-z]+) is one of ([a-z, -]+)/)
        where match.output.1 == field {
            return match.output.2.split(separator: ", ").map { String($0) }
        }
        return nil
    }
}
