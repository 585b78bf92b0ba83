import SimCore
import Testing
import Workloads

/// Purchase logs, right and wrong.
struct PurchaseLogTests {
    private func read(_ text: String) throws -> PurchaseLog { try PurchaseLog(Array(text.utf8)) }

    private func problem(_ text: String) -> String? {
        do {
            _ = try read(text)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("The bundled log has every one of its 69,659 purchases")
    func bundledLogIsWhole() throws {
        let log = try PurchaseLog.bundled()
        #expect(log.purchases.count == 69_659)
        #expect(Set(log.purchases.map(\.customer)).count == 23_570)
        #expect(log.purchases.reduce(0) { $0 + ($1.valueCents == 0 ? 1 : 0) } == 80)
        #expect(log.purchases[2].pieceCount == 5 && log.purchases[2].valueCents == 7_700)
    }

    @Test("Separators, line ends, header and byte order mark make no difference")
    func formsAreEqual() throws {
        let plain = try read("1 19970101 2 3.50\n2 19970102 1 7\n").purchases
        #expect(plain.map(\.valueCents) == [350, 700])
        #expect(try read(" customer_id date cds value\r\n 1 19970101 2 3.5\r\n 2 19970102 1 7.00").purchases == plain)
        #expect(try read("1 19970101 2 3.50\r2 19970102 1 7\r").purchases == plain)
        #expect(try read("1,19970101,2,3.50\n\n2,19970102,1,7\n").purchases == plain)
        #expect(try read("\u{FEFF}1\t19970101\t2\t3.50\n2\t19970102\t1\t7").purchases == plain)
    }

    @Test("A first line whose first field is spoilt is no header: its purchase is not dropped")
    func spoiltFirstLine() {
        #expect(
            problem("0000l 19970101 1 11.77\n2 19970102 1 7")
                == "line 1: customer id is '0000l'; expected a whole number")
    }

    @Test("A day number counts from the epoch, leap days included")
    func daysCount() throws {
        let days = try read("1 19700101 1 1\n1 20000229 1 1\n1 20000301 1 1").purchases.map(\.day)
        #expect(days == [0, 11_016, 11_017])
    }

    @Test("A line is counted once whatever it ends with", arguments: ["\n", "\r\n", "\r"])
    func linesAreCounted(end: String) {
        let text = ["1 19970101 2 3.50", "", "2 19970102 x 7", ""].joined(separator: end)
        #expect(problem(text) == "line 3: pieces is 'x'; expected a whole number")
    }

    @Test("A log of a million lines is read, and its last line is told apart when it is wrong")
    func millionLines() throws {
        var bytes: [UInt8] = []
        let line = Array("12345 19970101 2 3.50\n".utf8)
        bytes.reserveCapacity(line.count * 1_000_000 + 100)
        for _ in 0..<1_000_000 { bytes += line }
        #expect(try PurchaseLog(bytes).purchases.count == 1_000_000)
        bytes += Array("12345 19970101 2\n".utf8)
        let error = #expect(throws: PurchaseLogError.self) { try PurchaseLog(bytes) }
        #expect(error?.description.hasPrefix("line 1000001: 3 columns") == true)
    }

    @Test(
        "A wrong line is named with what was expected",
        arguments: [
            ("1 19970101 2\n", "line 1: 3 columns"), ("1 19970101 2 3.50 9\n", "line 1: 5 columns"),
            ("1 19970101 2 3.50\n1 19970230 2 3.50\n", "line 2: date 19970230 is no day"),
            ("1 19970101 0 3.50\n", "line 1: pieces is '0'; expected 1 to 9999"),
            ("1 19970101 -1 3.50\n", "line 1: pieces is '-1'; expected a whole number"),
            ("1 19970101 x 3.50\n", "line 1: pieces is 'x'"), ("1 19970101 1 3.505\n", "line 1: value is '3.505'"),
            ("1 19970101 1 .\n", "line 1: value is '.'"),
            ("1 19970101 99999999999999999999 3\n", "line 1: pieces is"), ("", "line 1: no purchase in the file"),
            ("customer date pieces value\n", "line 1: no purchase in the file"),
        ])
    func wrongLineIsNamed(text: String, expected: String) {
        #expect(problem(text)?.hasPrefix(expected) == true, "\(problem(text) ?? "read without complaint")")
    }

    @Test(
        "A damaged log is read line by line as a plain reader reads it, or refused for its first wrong line",
        arguments: 0..<64)
    func damaged(_ seed: UInt64) throws {
        var bits = SplitMix64(seed: seed)
        var bytes = Array(
            "1 19970101 2 3.50\n22,19970102,1,7\r\n333\t19970131\t10\t117.7\r4 19980630 1 .5\n\n5 20000229 1 0\n".utf8)
        let alphabet = Array("0123456789.,-+eEx \t\r\n\0".utf8) + [0xEF, 0xBB, 0xBF, 0xFF, 0xC3]
        for _ in 0..<400 {
            let place = Int(bits.next(below: UInt64(bytes.count)))
            let byte = alphabet[Int(bits.next(below: UInt64(alphabet.count)))]
            switch bits.next(below: 4) {
            case 0: bytes.insert(byte, at: place)
            case 1: bytes.remove(at: place)
            default: bytes[place] = byte
            }
            if bytes.count < 20 { bytes += Array("6 19970101 1 1\n".utf8) }
            Self.compare(bytes, "seed \(seed)")
        }
    }

    /// What the reader says of a log beside what a slow one says that splits strings.
    private static func compare(_ bytes: [UInt8], _ comment: Comment) {
        let expected = plainReading(bytes)
        do {
            let found = try PurchaseLog(bytes).purchases.map {
                [Int64($0.customer), Int64($0.day), Int64($0.pieceCount), $0.valueCents]
            }
            #expect(expected.wrongLine == nil && expected.purchases == found, comment)
        } catch {
            if let line = expected.wrongLine {
                #expect(error.line == line, comment)
            } else {
                #expect(expected.purchases.isEmpty, comment)
            }
        }
    }

    private static func plainReading(_ bytes: [UInt8]) -> (purchases: [[Int64]], wrongLine: Int?) {
        let isMarked = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        // One character a byte, so that nothing is joined.
        let scalars = bytes.dropFirst(isMarked ? 3 : 0).map { Unicode.Scalar($0) }
        var lines: [[Unicode.Scalar]] = [[]]
        for (index, scalar) in scalars.enumerated() {
            if scalar == "\n", index > 0, scalars[index - 1] == "\r" { continue }
            if scalar == "\n" || scalar == "\r" { lines.append([]) } else { lines[lines.count - 1].append(scalar) }
        }
        var purchases: [[Int64]] = []
        for (index, line) in lines.enumerated() {
            let fields = line.split { $0 == " " || $0 == "\t" || $0 == "," }.map { field in
                String(String.UnicodeScalarView(field))
            }
            if fields.isEmpty { continue }
            if index == 0, fields[0].unicodeScalars.contains(where: { $0.properties.isAlphabetic && $0.isASCII }),
                !fields[0].contains(where: { ("0"..."9").contains($0) })
            {
                continue
            }
            guard let purchase = plainPurchase(fields) else { return (purchases, index + 1) }
            purchases.append(purchase)
        }
        return (purchases, nil)
    }

    private static func plainPurchase(_ fields: [String]) -> [Int64]? {
        guard fields.count == 4, fields.prefix(3).allSatisfy({ $0.allSatisfy { ("0"..."9").contains($0) } }),
            let customer = Int32(fields[0]), let date = Int64(fields[1]), date >= 1_000_01_01, date <= 9_999_12_31,
            let pieces = Int32(fields[2]), (1...9_999).contains(pieces)
        else { return nil }
        let parts = fields[3].split(separator: ".", omittingEmptySubsequences: false)
        let isAmount =
            parts.count <= 2 && fields[3] != "." && fields[3].allSatisfy { ("0"..."9").contains($0) || $0 == "." }
        guard isAmount, parts.count == 1 || parts[1].count <= 2, parts[0].count <= 12,
            let whole = Int64("0" + parts[0]), let day = plainDay(date)
        else { return nil }
        let fraction = parts.count == 1 ? "" : String(parts[1])
        let cents = Int64((fraction + "00").prefix(2))!
        return [Int64(customer), Int64(day), Int64(pieces), whole * 100 + cents]
    }

    /// Days since the epoch, counted one by one from year to year and month to month.
    private static func plainDay(_ date: Int64) -> Int32? {
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100)
        func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        func length(_ month: Int64) -> Int64 {
            switch month {
            case 2: isLeap(year) ? 29 : 28
            case 4, 6, 9, 11: 30
            default: 31
            }
        }
        guard (1...12).contains(month), day >= 1, day <= length(month) else { return nil }
        var days: Int64 = 0
        for other in min(year, 1970)..<max(year, 1970) { days += (year < 1970 ? -1 : 1) * (isLeap(other) ? 366 : 365) }
        for other in 1..<month { days += length(other) }
        return Int32(days + day - 1)
    }
}
