//! Every operation of the vendor's model, had or not.

/// Declares the operations and their names in one place.
macro_rules! operations {
    ($($name:ident)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($name,)* }

        impl Operation {
            pub const ALL: &[Operation] = &[$(Operation::$name,)*];

            /// As the vendor spells it.
            pub fn name(self) -> &'static str {
                match self { $(Operation::$name => stringify!($name),)* }
            }
        }
    };
}

operations! {
    ActivateEventSource CancelReplay CreateApiDestination CreateArchive CreateConnection CreateEndpoint
    CreateEventBus CreatePartnerEventSource DeactivateEventSource DeauthorizeConnection DeleteApiDestination
    DeleteArchive DeleteConnection DeleteEndpoint DeleteEventBus DeletePartnerEventSource DeleteRule
    DescribeApiDestination DescribeArchive DescribeConnection DescribeEndpoint DescribeEventBus
    DescribeEventSource DescribePartnerEventSource DescribeReplay DescribeRule DisableRule EnableRule
    ListApiDestinations ListArchives ListConnections ListEndpoints ListEventBuses ListEventSources
    ListPartnerEventSourceAccounts ListPartnerEventSources ListReplays ListRuleNamesByTarget ListRules
    ListTagsForResource ListTargetsByRule PutEvents PutPartnerEvents PutPermission PutRule PutTargets
    RemovePermission RemoveTargets StartReplay TagResource TestEventPattern UntagResource UpdateApiDestination
    UpdateArchive UpdateConnection UpdateEndpoint UpdateEventBus
}

impl Operation {
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// Whether mlemu has it.
    pub fn is_had(self) -> bool {
        use Operation as Op;
        matches!(
            self,
            Op::CreateEventBus
                | Op::DeleteEventBus
                | Op::DeleteRule
                | Op::DescribeEventBus
                | Op::DescribeRule
                | Op::DisableRule
                | Op::EnableRule
                | Op::ListEventBuses
                | Op::ListRuleNamesByTarget
                | Op::ListRules
                | Op::ListTagsForResource
                | Op::ListTargetsByRule
                | Op::PutEvents
                | Op::PutRule
                | Op::PutTargets
                | Op::RemoveTargets
                | Op::TagResource
                | Op::TestEventPattern
                | Op::UntagResource
        )
    }
}

/// Each operation and whether it is had, for the table of what is covered.
pub fn coverage() -> impl Iterator<Item = (&'static str, bool)> {
    Operation::ALL.iter().map(|operation| (operation.name(), operation.is_had()))
}
