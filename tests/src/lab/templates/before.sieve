require ["fileinto", "mailbox", "envelope", "subaddress", "vacation", "vacation-seconds"];
if anyof (
  header :contains "Subject" "LAB-SPAM",
  header :is "X-Spam" "Yes",
  header :contains "X-Spam-Flag" "YES"
) {
  fileinto :create "Junk";
  stop;
}
# answers everything that RFC 3834 allows to be answered: not what says Auto-Submitted itself
if anyof (envelope :detail "to" "away", envelope :localpart "to" "away") {
  vacation :seconds 0 :subject "I am away" "This is the automatic answer of the lab.";
}
# the copy of what a user sends
if envelope :detail "to" "sent" {
  fileinto :create "Sent";
  stop;
}
if header :contains "Subject" "LAB-FILED" {
  fileinto :create "Filed";
}
