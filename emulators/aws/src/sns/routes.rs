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
    AddPermission
    CheckIfPhoneNumberIsOptedOut
    ConfirmSubscription
    CreatePlatformApplication
    CreatePlatformEndpoint
    CreateSMSSandboxPhoneNumber
    CreateTopic
    DeleteEndpoint
    DeletePlatformApplication
    DeleteSMSSandboxPhoneNumber
    DeleteTopic
    GetDataProtectionPolicy
    GetEndpointAttributes
    GetPlatformApplicationAttributes
    GetSMSAttributes
    GetSMSSandboxAccountStatus
    GetSubscriptionAttributes
    GetTopicAttributes
    ListEndpointsByPlatformApplication
    ListOriginationNumbers
    ListPhoneNumbersOptedOut
    ListPlatformApplications
    ListSMSSandboxPhoneNumbers
    ListSubscriptions
    ListSubscriptionsByTopic
    ListTagsForResource
    ListTopics
    OptInPhoneNumber
    Publish
    PublishBatch
    PutDataProtectionPolicy
    RemovePermission
    SetEndpointAttributes
    SetPlatformApplicationAttributes
    SetSMSAttributes
    SetSubscriptionAttributes
    SetTopicAttributes
    Subscribe
    TagResource
    Unsubscribe
    UntagResource
    VerifySMSSandboxPhoneNumber
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
            Op::AddPermission
                | Op::ConfirmSubscription
                | Op::CreateTopic
                | Op::DeleteTopic
                | Op::GetSubscriptionAttributes
                | Op::GetTopicAttributes
                | Op::ListSubscriptions
                | Op::ListSubscriptionsByTopic
                | Op::ListTagsForResource
                | Op::ListTopics
                | Op::Publish
                | Op::PublishBatch
                | Op::RemovePermission
                | Op::SetSubscriptionAttributes
                | Op::SetTopicAttributes
                | Op::Subscribe
                | Op::TagResource
                | Op::Unsubscribe
                | Op::UntagResource
        )
    }
}

/// Each operation and whether it is had, for the table of what is covered.
pub fn coverage() -> impl Iterator<Item = (&'static str, bool)> {
    Operation::ALL.iter().map(|operation| (operation.name(), operation.is_had()))
}
