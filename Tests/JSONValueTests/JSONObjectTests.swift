import JSONValue
import Testing

@Suite struct JSONObjectTests {
    @Test func membersStandInTheOrderOfTheirKeys() {
        let object: JSONObject = ["b": 1, "a": 2, "": 3, "ab": 4, "B": 5, "é": 6]
        #expect(object.map(\.key) == ["", "B", "a", "ab", "b", "é"])
        #expect(object["ab"] == 4)
        #expect(object["c"] == nil)
    }

    @Test func theLastOfTheSameKeyCounts() {
        let object = JSONObject(
            [("a", 1), ("b", 2), ("a", 3), ("a", 4)].map { (key: $0.0, value: $0.1) })
        #expect(object == ["a": 4, "b": 2])
    }

    @Test func membersComeAndGo() {
        var object: JSONObject = [:]
        for key in ["c", "a", "b", "a"] { object[key] = .string(key) }
        #expect(object == ["a": "a", "b": "b", "c": "c"])
        object["b"] = nil
        object["x"] = nil
        #expect(object == ["a": "a", "c": "c"])
    }
}
