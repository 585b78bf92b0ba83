/// The type of a column, with the PostgreSQL type it becomes.
public enum ColumnType: String, Hashable, Sendable, Codable, CaseIterable {
    /// `bigint`
    case int64
    /// `text`; compared byte by byte (`COLLATE "C"`), so that both worlds sort alike.
    case text
    /// `boolean`
    case bool
    /// `uuid`
    case uuid
    /// `timestamptz`
    case timestamp
    /// `jsonb`
    case json
    /// `bytea`
    case bytes
}

/// A column of a declared table. Made by ``Table/column(_:)``; statements name columns by it, never by text.
public struct Column: Hashable, Sendable {
    public let name: String
    public let type: ColumnType
    public let isNullable: Bool
    /// Position in the table, which is also the position in every ``Row`` of it.
    public let ordinal: Int
}

/// A column as it is declared: name, type, and whether it may be null.
public struct ColumnDeclaration: Hashable, Sendable {
    public let name: String
    public let type: ColumnType
    public let isNullable: Bool

    public static func column(_ name: String, _ type: ColumnType, nullable: Bool = false) -> ColumnDeclaration {
        ColumnDeclaration(name: name, type: type, isNullable: nullable)
    }
}

/// A unique key, primary or not. PostgreSQL names the constraint in a 23505; so do both adapters.
public struct UniqueKey: Hashable, Sendable {
    /// Constraint name as the server reports it.
    public let name: String
    /// Ordinals of the key's columns, in key order.
    public let columns: [Int]
}

/// A check constraint: a conjunction of comparisons of columns with constants, for example `available >= 0`.
public struct CheckConstraint: Hashable, Sendable {
    public let name: String
    public let condition: [Comparison]
}

/// A plain index. It changes speed only, never a result.
public struct TableIndex: Hashable, Sendable {
    public let name: String
    public let columns: [Int]
}

/// A table declared once; the production adapter makes the DDL from it and the simulator its schema.
///
/// Names must be plain identifiers (`[a-z_][a-z0-9_]*`, at most 48 bytes), so that no statement needs quoting rules.
/// Immutable, and a class so that every statement names its table by one reference instead of copying seven.
public final class Table: Sendable {
    public let name: String
    public let columns: [Column]
    public let primaryKey: UniqueKey
    /// The unique keys beside the primary key.
    public let uniqueKeys: [UniqueKey]
    public let checks: [CheckConstraint]
    public let indexes: [TableIndex]

    /// Declares a table.
    ///
    /// - Parameters:
    ///   - primaryKey: names of its columns; none may be nullable.
    ///   - unique: column names of each further unique key, named `<table>_<columns>_key` as PostgreSQL does.
    ///   - checks: name and condition; the constraint is called `<table>_<name>_check`.
    ///   - indexes: column names of each plain index, named `<table>_<columns>_idx`.
    /// - Precondition: names are plain identifiers, distinct, and those of keys exist.
    public init(
        _ name: String, columns declarations: [ColumnDeclaration], primaryKey: [String], unique: [[String]] = [],
        checks: [(name: String, condition: ([Column]) -> [Comparison])] = [], indexes: [[String]] = []
    ) {
        precondition(Self.isPlainIdentifier(name), "table name '\(name)' is not a plain identifier")
        let columns = declarations.enumerated().map { ordinal, declaration in
            precondition(
                Self.isPlainIdentifier(declaration.name),
                "column name '\(declaration.name)' of table \(name) is not a plain identifier")
            return Column(
                name: declaration.name, type: declaration.type, isNullable: declaration.isNullable, ordinal: ordinal)
        }
        precondition(Set(columns.map(\.name)).count == columns.count, "table \(name) declares a column twice")
        func ordinals(_ names: [String]) -> [Int] {
            names.map { wanted in
                guard let found = columns.first(where: { $0.name == wanted }) else {
                    preconditionFailure("a key of table \(name) names column '\(wanted)', which it does not have")
                }
                return found.ordinal
            }
        }
        precondition(!primaryKey.isEmpty, "table \(name) has no primary key")
        self.name = name
        self.columns = columns
        self.primaryKey = UniqueKey(name: "\(name)_pkey", columns: ordinals(primaryKey))
        precondition(
            self.primaryKey.columns.allSatisfy { !columns[$0].isNullable },
            "a column of the primary key of table \(name) is nullable")
        self.uniqueKeys = unique.map {
            UniqueKey(name: "\(name)_\($0.joined(separator: "_"))_key", columns: ordinals($0))
        }
        self.checks = checks.map { CheckConstraint(name: "\(name)_\($0.name)_check", condition: $0.condition(columns)) }
        self.indexes = indexes.map {
            TableIndex(name: "\(name)_\($0.joined(separator: "_"))_idx", columns: ordinals($0))
        }
    }

    /// The declared column of that name.
    ///
    /// - Precondition: the table has it. Meant for static declarations beside the table.
    public func column(_ name: String) -> Column {
        guard let found = columns.first(where: { $0.name == name }) else {
            preconditionFailure("table \(self.name) has no column '\(name)'; it has \(columns.map(\.name))")
        }
        return found
    }

    private static func isPlainIdentifier(_ name: String) -> Bool {
        guard (1...48).contains(name.utf8.count), let first = name.utf8.first else { return false }
        let lower = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return (lower.contains(first) || first == UInt8(ascii: "_"))
            && name.utf8.allSatisfy { lower.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "_") }
    }
}

/// What a service's database holds: its tables, in the order in which they are created, and a version for migrations.
public struct Schema: Sendable {
    /// The database's name, for example `order`.
    public let name: String
    /// Grows by one with each migration; a newer schema only adds tables, nullable columns and indexes.
    public let version: Int
    public let tables: [Table]

    public init(name: String, version: Int, tables: [Table]) {
        self.name = name
        self.version = version
        self.tables = tables
    }
}
