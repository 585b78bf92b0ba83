import AdapterJSON
import Ports
import Testing

@Suite("JSON text")
struct JSONTests {
    @Test(
        "What is written reads back the same",
        arguments: [
            JSONValue.null, .bool(true), .integer(.min), .integer(.max), .decimal(unscaled: -5, scale: 3),
            .decimal(unscaled: .min, scale: 18), .string("\u{0}\u{1F}\"\\/\u{1F600}é\u{2028}"), [], .members([:]),
            .members(["b": 1, "a": [nil, .members(["x": "y"])], "": false]),
        ])
    func roundTrip(_ value: JSONValue) throws {
        #expect(try JSONReader.read(JSONWriter.bytes(value)) == value)
    }

    @Test(
        "Numbers are read exactly, and normalised only by their exponent",
        arguments: [
            ("0", .integer(0)), ("-0", .integer(0)), ("1e3", .integer(1_000)),
            ("120e-1", .decimal(unscaled: 120, scale: 1)),
            ("1.50", .decimal(unscaled: 150, scale: 2)), ("0.1", .decimal(unscaled: 1, scale: 1)),
            ("1.5E+1", .integer(15)), ("-9223372036854775808", .integer(.min)), ("0e99999999999", .integer(0)),
            ("1E-255", .decimal(unscaled: 1, scale: 255)),
        ] as [(String, JSONValue)])
    func numbers(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONReader.read(text) == value)
    }

    @Test(
        "A number that cannot be kept exactly is refused, not rounded",
        arguments: ["9223372036854775808", "-9223372036854775809", "1e19", "1e-256", "0.12345678901234567890123"])
    func numbersOutOfRange(_ text: String) {
        #expect(throws: JSONError(.numberOutOfRange, at: 0)) { try JSONReader.read(text) }
    }

    @Test(
        "Text that RFC 8259 does not allow is refused",
        arguments: [
            "", " ", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":1,}", "[1,]", "{a:1}", "nul", "truee", "01", "+1", "1.",
            ".5",
            "1e", "--1", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"",
            "NaN",
            "1 2", "'a'", "\u{FEFF}1",
        ])
    func malformed(_ text: String) {
        #expect(throws: JSONError.self) { try JSONReader.read(text) }
    }

    @Test("A string that is not UTF-8 is refused")
    func invalidUTF8() {
        #expect(throws: JSONError(.invalidUTF8, at: 1)) { try JSONReader.read([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONError(.invalidUTF8, at: 1)) { try JSONReader.read([0x22, 0x5C, 0x6E, 0xC0, 0x80, 0x22]) }
    }

    @Test("Escapes are read, surrogate pairs together")
    func escapes() throws {
        #expect(
            try JSONReader.read(#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00""#) == .string("\"\\/\u{8}\u{C}\n\r\tA\u{1F600}"))
    }

    @Test("Of members of one name the last is kept, names compared by their bytes")
    func duplicates() throws {
        #expect(try JSONReader.read(#"{"a":1,"b":2,"a":3}"#) == .members(["b": 2, "a": 3]))
        let many = (0..<40).map { "\"k\($0 % 20)\":\($0)" }.joined(separator: ",")
        let expected = (20..<40).map { JSONMember("k\($0 % 20)", .integer(Int64($0))) }
        #expect(try JSONReader.read("{\(many)}") == .object(expected))
        let accents = try JSONReader.read("{\"\u{E9}\":1,\"e\u{301}\":2}")
        guard case .object(let members) = accents else { throw JSONError(.endsEarly, at: 0) }
        #expect(members.count == 2)
    }

    @Test("Depth and length are bounded")
    func limits() throws {
        let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
        #expect(throws: JSONError(.tooDeep(limit: 64), at: 64)) { try JSONReader.read(deep) }
        #expect(throws: Never.self) { try JSONReader.read(String(deep.dropFirst().dropLast())) }
        let limits = JSONLimits(maximumByteCount: 4)
        #expect(throws: JSONError(.tooLong(byteCount: 5, limit: 4), at: 0)) {
            try JSONReader.read("[1,2]", limits: limits)
        }
    }

    @Test("Bytes that are no JSON stay bytes")
    func poison() {
        #expect(Payload(readingJSON: Array("{\"a\":1}".utf8)) == .json(.members(["a": 1])))
        #expect(Payload(readingJSON: Array("{oops".utf8)) == .bytes(Array("{oops".utf8)))
    }

    @Test("Random bytes and damaged documents are refused or read, never worse", arguments: 0..<64)
    func fuzz(_ seed: UInt64) {
        var generator = SplitMix(seed: seed)
        let document = Array(#"{"a":[1,-2.50e3,"x\u00e9\n",true,null],"b":{"c":{}}}"#.utf8)
        for _ in 0..<200 {
            var bytes = generator.next() % 2 == 0 ? document : []
            for _ in 0..<(1 + generator.next() % 8) {
                let byte = UInt8(truncatingIfNeeded: generator.next())
                let index = Int(generator.next() % UInt64(bytes.count + 1))
                if index < bytes.count, generator.next() % 2 == 0 {
                    bytes[index] = byte
                } else {
                    bytes.insert(byte, at: index)
                }
            }
            guard let value = try? JSONReader.read(bytes) else { continue }
            #expect((try? JSONReader.read(JSONWriter.bytes(value))) == value)
        }
    }
}

/// A small seeded generator (SplitMix64), so that a failing fuzz run repeats.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
