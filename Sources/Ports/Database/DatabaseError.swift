/// A five-character SQLSTATE (PostgreSQL documentation, appendix A).
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }

    public static let notNullViolation = SQLState(rawValue: "23502")
    public static let uniqueViolation = SQLState(rawValue: "23505")
    public static let checkViolation = SQLState(rawValue: "23514")
    public static let numericValueOutOfRange = SQLState(rawValue: "22003")
    public static let datatypeMismatch = SQLState(rawValue: "42804")
    public static let undefinedTable = SQLState(rawValue: "42P01")
    public static let duplicateTable = SQLState(rawValue: "42P07")
    public static let duplicateObject = SQLState(rawValue: "42710")
    public static let undefinedObject = SQLState(rawValue: "42704")
    /// `ON CONFLICT DO UPDATE` would touch one row twice.
    public static let cardinalityViolation = SQLState(rawValue: "21000")
    /// A name with characters that are not allowed, such as that of a replication slot.
    public static let invalidName = SQLState(rawValue: "42602")
    /// BEGIN inside a transaction.
    public static let activeTransaction = SQLState(rawValue: "25001")
    /// A statement after an error and before ROLLBACK.
    public static let inFailedTransaction = SQLState(rawValue: "25P02")
    public static let noActiveTransaction = SQLState(rawValue: "25P01")
    public static let serializationFailure = SQLState(rawValue: "40001")
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// A replication slot that has a consumer already.
    public static let objectInUse = SQLState(rawValue: "55006")
    /// A slot whose WAL was removed.
    public static let objectNotInPrerequisiteState = SQLState(rawValue: "55000")
    public static let queryCanceled = SQLState(rawValue: "57014")
    public static let adminShutdown = SQLState(rawValue: "57P01")
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
    public static let tooManyConnections = SQLState(rawValue: "53300")
    public static let diskFull = SQLState(rawValue: "53100")
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    public static let ioError = SQLState(rawValue: "58030")
    public static let featureNotSupported = SQLState(rawValue: "0A000")
    public static let invalidPassword = SQLState(rawValue: "28P01")
}

/// Why a database call failed, in terms of what the caller may conclude.
public enum DatabaseError: Error, Hashable, Sendable {
    /// The server refused a statement. The transaction is aborted: nothing of it will be committed.
    case statement(SQLState, message: String, constraint: String? = nil)
    /// The connection could not be made, or broke before COMMIT was sent: the transaction had no effect.
    case connectionLost(String)
    /// The connection broke after COMMIT was sent: it may or may not have taken effect.
    case commitOutcomeUnknown(String)
    /// No connection of the pool became free in time; nothing was sent.
    case poolTimeout(waited: Nanoseconds)

    /// The server's SQLSTATE, when it gave one.
    public var sqlState: SQLState? {
        if case .statement(let state, _, _) = self { state } else { nil }
    }

    /// Whether the whole transaction can simply be run again: it is known to have had no effect, and may now succeed.
    public var isSafeToRetry: Bool {
        switch self {
        case .statement(let state, _, _):
            switch state {
            case .serializationFailure, .deadlockDetected, .lockNotAvailable, .queryCanceled, .adminShutdown,
                .cannotConnectNow, .tooManyConnections, .diskFull, .readOnlyTransaction, .ioError:
                true
            default: false
            }
        case .connectionLost, .poolTimeout: true
        case .commitOutcomeUnknown: false
        }
    }
}

extension DatabaseError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .statement(let state, let message, let constraint):
            "SQLSTATE \(state): \(message)" + (constraint.map { " (constraint \($0))" } ?? "")
        case .connectionLost(let why): "connection lost before commit, no effect: \(why)"
        case .commitOutcomeUnknown(let why): "connection lost during commit, outcome unknown: \(why)"
        case .poolTimeout(let waited): "no pooled connection became free within \(waited); nothing was sent"
        }
    }
}
