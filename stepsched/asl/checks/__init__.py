from stepsched.asl.check import check as check
