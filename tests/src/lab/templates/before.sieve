require ["fileinto", "mailbox"];
if anyof (
  header :contains "Subject" "LAB-SPAM",
  header :is "X-Spam" "Yes",
  header :contains "X-Spam-Flag" "YES"
) {
  fileinto :create "Junk";
  stop;
}
