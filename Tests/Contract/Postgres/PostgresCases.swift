/// All cases on PostgreSQL.
enum PostgresCases {
    static let all: [ContractCase] =
        DirtyPhenomenaCases.all + SnapshotCases.all + SerializableCases.all + ReevaluationCases.all + LockCases.all
        + UniqueKeyCases.all + OnConflictCases.all + TransactionCases.all + ValueCases.all
        + IsolationHistoryCases.all + DurabilityCases.all + SlotCases.all + SlotPositionCases.all + MigrationCases.all
}
