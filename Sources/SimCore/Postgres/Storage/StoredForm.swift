import Ports

/// The form in which a value is stored: timestamps to the microsecond, documents as `jsonb` has them, and no text with a
/// zero byte.
///
/// `jsonb` keeps an object's members in the order of their names' lengths, then of their bytes; of members of one name it
/// keeps the last. Source: PostgreSQL documentation, 8.14; src/backend/utils/adt/jsonb_util.c (`compareJsonbPair`).
enum StoredForm {
    enum Finding {
        /// The value is stored as it is.
        case stored
        /// The value is stored in another form.
        case differs
        case textWithZeroByte
        case documentWithZeroCharacter
    }

    static func look(at value: Value) -> Finding {
        switch value {
        case .null, .int64, .bool, .uuid, .bytes: .stored
        case .timestamp(let instant): TimestampPrecision.isWhole(instant) ? .stored : .differs
        case .text(let text): text.hasZeroByte ? .textWithZeroByte : .stored
        case .json(let document):
            if document.hasZeroByte {
                .documentWithZeroCharacter
            } else {
                isSorted(document) ? .stored : .differs
            }
        }
    }

    /// - Precondition: the value has no zero byte.
    static func form(of value: Value) -> Value {
        switch value {
        case .timestamp: TimestampPrecision.rounded(value)
        case .json(let document): .json(sorted(document))
        default: value
        }
    }

    // MARK: Documents

    private static func isSorted(_ document: JSONValue) -> Bool {
        switch document {
        case .null, .bool, .integer, .decimal, .string: return true
        case .array(let values):
            return values.withUnsafeBufferPointer { values in values.indices.allSatisfy { isSorted(values[$0]) } }
        case .object(let members):
            // Looked at where they are, since an iterator copies them.
            return members.withUnsafeBufferPointer { members in
                members.indices.allSatisfy { index in
                    (index == 0 || precedes(members[index - 1].name, members[index].name))
                        && isSorted(members[index].value)
                }
            }
        }
    }

    private static func sorted(_ document: JSONValue) -> JSONValue {
        switch document {
        case .null, .bool, .integer, .decimal, .string: return document
        case .array(let values): return .array(values.map { sorted($0) })
        case .object(let members):
            var kept: [JSONMember] = []
            kept.reserveCapacity(members.count)
            for member in members {
                // Objects are small, and their writers' order is nearly the stored one.
                var place = kept.count
                while place > 0, precedes(member.name, kept[place - 1].name) { place -= 1 }
                let stored = JSONMember(member.name, sorted(member.value))
                if place > 0, !precedes(kept[place - 1].name, member.name) {
                    kept[place - 1] = stored
                } else {
                    kept.insert(stored, at: place)
                }
            }
            return .object(kept)
        }
    }

    private static func precedes(_ left: String, _ right: String) -> Bool {
        let (leftCount, rightCount) = (left.utf8.count, right.utf8.count)
        return leftCount == rightCount ? left.utf8.lexicographicallyPrecedes(right.utf8) : leftCount < rightCount
    }
}

extension PostgresServer {
    /// A value as it is stored.
    ///
    /// - Throws: 22021 for a zero byte in a text, 22P05 for one in a document.
    func storedForm(_ value: Value) throws(DatabaseError) -> Value {
        switch StoredForm.look(at: value) {
        case .stored: return value
        case .differs: return StoredForm.form(of: value)
        case .textWithZeroByte:
            throw failure(SQLState(rawValue: "22021"), "invalid byte sequence for encoding \"UTF8\": 0x00")
        case .documentWithZeroCharacter:
            throw failure(SQLState(rawValue: "22P05"), "unsupported Unicode escape sequence: \\u0000")
        }
    }
}
