#if Production
    import Clibpq
    import Ports

    /// How libpq's errors become the port's.
    enum PostgresErrors {
        /// The server's refusal in a result.
        static func statement(_ result: OpaquePointer) -> DatabaseError {
            guard let state = field(result, "C") else {
                return .connectionLost(text(PQresultErrorMessage(result)))
            }
            return .statement(
                SQLState(rawValue: state), message: field(result, "M") ?? "no message", constraint: field(result, "n"))
        }

        /// Whether the error ended the session (severity FATAL or PANIC).
        static func endsSession(_ result: OpaquePointer) -> Bool {
            let severity = field(result, "V")
            return severity == "FATAL" || severity == "PANIC"
        }

        private static func field(_ result: OpaquePointer, _ code: Unicode.Scalar) -> String? {
            PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
        }

        /// Why a connection could not be made: the server's refusal, when its verbose message holds an SQLSTATE
        /// (`FATAL:  53300: sorry, too many clients already`), or that it could not be reached.
        static func connecting(_ message: String) -> DatabaseError {
            for line in message.split(separator: "\n") {
                guard let found = refusal(line) else { continue }
                return .statement(SQLState(rawValue: found.state), message: found.message)
            }
            return .connectionLost(message.split(separator: "\n").first.map(String.init) ?? "no connection")
        }

        private static func refusal(_ line: Substring) -> (state: String, message: String)? {
            let parts = line.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated().dropFirst() {
                let trimmed = part.drop { $0 == UInt8(ascii: " ") }
                // Every state has a digit, which tells it from the severity FATAL before it.
                guard trimmed.count == 5, trimmed.allSatisfy(isStateByte), trimmed.contains(where: isDigit) else {
                    continue
                }
                let rest = parts[(index + 1)...].map { String(decoding: $0, as: UTF8.self) }.joined(separator: ":")
                return (String(decoding: trimmed, as: UTF8.self), String(rest.drop { $0 == " " }))
            }
            return nil
        }

        private static func isStateByte(_ byte: UInt8) -> Bool {
            isDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        }

        private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

        /// libpq's text on one line.
        static func text(_ message: UnsafePointer<CChar>?) -> String {
            guard let message else { return "no message" }
            return String(cString: message).split(separator: "\n").joined(separator: "; ")
        }
    }
#endif
